// WorkerPool: background threads for compiles.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace lathe::runtime {

/// Runs tasks in the order given, on at most `limit` threads that start when first needed. Thread-safe. Tasks
/// must not throw. Destruction runs what is queued with `cancelled` true, so that every promise a task holds
/// is kept, and waits for what is running. It must not happen on one of the pool's own threads.
class WorkerPool {
 public:
  using Task = std::function<void(bool cancelled)>;

  explicit WorkerPool(int limit) : limit_(static_cast<std::size_t>(limit)) {}
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool();

  void submit(Task task);

 private:
  void work();

  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> queue_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace lathe::runtime
