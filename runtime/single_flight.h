// SingleFlight: of several threads that want the same thing at the same time, one makes it and the others
// wait.
#pragma once

#include <exception>
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
  /// value. What `make` throws, all of them get thrown. `make` must not call `run` with the same key.
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
    try {
      Value value = std::forward<Make>(make)();
      land(key);
      promise.set_value(value);
      return value;
    } catch (...) {
      land(key);
      promise.set_exception(std::current_exception());
      throw;
    }
  }

 private:
  /// Before the outcome is given out, so that whoever sees it and asks again starts afresh.
  void land(const Key& key) {
    std::lock_guard lock(mutex_);
    flights_.erase(key);
  }

  std::mutex mutex_;
  std::unordered_map<Key, std::shared_future<Value>, Hash> flights_;
};

}  // namespace lathe::runtime
