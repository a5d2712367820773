// Interrupt: Ctrl-C as a flag that a long command looks at between two steps.
#pragma once

#include <csignal>

#include <atomic>
#include <thread>

namespace lathe::tools {

/// While it lives, the first SIGINT or SIGTERM sets `stop`; a second one ends the process at once with status
/// 130. Create it before other threads, which inherit the blocked signals; one at a time per process.
class Interrupt {
 public:
  /// REQUIRES: `stop` outlives this. Others may set it too, for reasons of their own.
  explicit Interrupt(std::atomic<bool>& stop);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  /// Whether a signal came.
  bool is_set() const { return is_set_.load(); }

 private:
  void wait();

  std::atomic<bool>& stop_;
  std::atomic<bool> is_set_{false};
  std::atomic<bool> is_over_{false};
  sigset_t waited_for_{};
  sigset_t previous_{};
  std::thread waiter_;
};

}  // namespace lathe::tools
