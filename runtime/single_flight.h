// SingleFlight: of several threads that want the same thing at the same time, one makes it and the others
// wait.
#pragma once

#include <functional>
#include <future>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace lathe::runtime {

/// Thread-safe. `Value` must be copyable: every waiter gets a copy.
template <class Key, class Value, class Hash = std::hash<Key>>
class SingleFlight {
 public:
  /// Runs `make` on this thread unless another is running it for an equal key; then waits for that one's
  /// value. `make` must not throw and must not call `run` with the same key.
  template <class Make>
  Value run(const Key& key, Make&& make) {
    std::promise<Value> promise;
    {
      std::unique_lock lock(mutex_);
      const auto [flight, is_new] = flights_.try_emplace(key);
      if (!is_new) {
        const std::shared_future<Value> other = flight->second;
        lock.unlock();
        return other.get();
      }
      flight->second = promise.get_future().share();
    }
    Value value = std::forward<Make>(make)();
    {
      // Before the value is given out, so that whoever sees it and asks again starts afresh.
      std::lock_guard lock(mutex_);
      flights_.erase(key);
    }
    promise.set_value(value);
    return value;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<Key, std::shared_future<Value>, Hash> flights_;
};

}  // namespace lathe::runtime
