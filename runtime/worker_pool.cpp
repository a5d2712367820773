#include "runtime/worker_pool.h"

#include <utility>

namespace lathe::runtime {

WorkerPool::~WorkerPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::submit(Task task) {
  std::lock_guard lock(mutex_);
  queue_.push_back(std::move(task));
  if (idle_ < queue_.size() && threads_.size() < limit_) threads_.emplace_back([this] { work(); });
  changed_.notify_one();
}

void WorkerPool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;
    const Task task = std::move(queue_.front());
    queue_.pop_front();
    const bool cancelled = stopping_;
    lock.unlock();
    task(cancelled);
    lock.lock();
  }
}

}  // namespace lathe::runtime
