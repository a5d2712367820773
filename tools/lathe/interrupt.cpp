#include "tools/lathe/interrupt.h"

#include <pthread.h>
#include <unistd.h>

#include "tools/lathe/exit_code.h"

namespace lathe::tools {

// A thread that waits for the signals needs no handler, and so no global variable for one to write to.
Interrupt::Interrupt(std::atomic<bool>& stop) : stop_(stop) {
  sigemptyset(&waited_for_);
  sigaddset(&waited_for_, SIGINT);
  sigaddset(&waited_for_, SIGTERM);
  sigaddset(&waited_for_, SIGUSR1);  // only to wake the waiter when this object goes
  pthread_sigmask(SIG_BLOCK, &waited_for_, &previous_);
  waiter_ = std::thread([this] { wait(); });
}

Interrupt::~Interrupt() {
  is_over_ = true;
  pthread_kill(waiter_.native_handle(), SIGUSR1);
  waiter_.join();
  pthread_sigmask(SIG_SETMASK, &previous_, nullptr);
}

void Interrupt::wait() {
  while (!is_over_) {
    int signal = 0;
    if (sigwait(&waited_for_, &signal) != 0 || signal == SIGUSR1) continue;
    stop_ = true;
    if (is_set_.exchange(true)) _exit(static_cast<int>(ExitCode::interrupted));
  }
}

}  // namespace lathe::tools
