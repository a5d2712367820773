// Counters and warnings of a Runtime, and the way to its listener.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include <lathe/options.h>
#include <lathe/runtime.h>

namespace lathe::runtime {

/// Thread-safe.
class Counters {
 public:
  explicit Counters(std::function<void(const Event&)> listener) : listener_(std::move(listener)) {}

  std::atomic<std::uint64_t> table_hits{0}, memory_hits{0}, disk_hits{0}, misses{0}, compiles{0},
      compile_failures{0}, lock_waits{0}, lock_timeouts{0}, store_failures{0}, undecodable{0};
  std::atomic<std::int64_t> compile_ns{0};

  void tell(Event::Kind kind, std::string_view key, std::string_view message,
            std::chrono::nanoseconds duration = {}) const {
    if (listener_) listener_({kind, key, message, duration});
  }

  /// Kept for stats() and told once, however often it happens.
  void warn(const std::string& message) {
    {
      std::lock_guard lock(mutex_);
      for (const std::string& known : warnings_) {
        if (known == message) return;
      }
      if (warnings_.size() == kMaxWarnings) return;
      warnings_.push_back(message);
    }
    tell(Event::Kind::warning, {}, message);
  }

  /// All but `corrupt_entries` of the stores, which they count themselves.
  Stats snapshot() const {
    Stats stats{.table_hits = table_hits,
                .memory_hits = memory_hits,
                .disk_hits = disk_hits,
                .misses = misses,
                .compiles = compiles,
                .compile_failures = compile_failures,
                .lock_waits = lock_waits,
                .lock_timeouts = lock_timeouts,
                .corrupt_entries = undecodable,
                .store_failures = store_failures,
                .compile_time = std::chrono::nanoseconds(compile_ns)};
    std::lock_guard lock(mutex_);
    stats.warnings = warnings_;
    return stats;
  }

 private:
  static constexpr std::size_t kMaxWarnings = 100;

  std::function<void(const Event&)> listener_;
  mutable std::mutex mutex_;
  std::vector<std::string> warnings_;
};

}  // namespace lathe::runtime
