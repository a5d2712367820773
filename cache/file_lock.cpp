#include "cache/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include <fmt/format.h>

#include "cache/system_error.h"

namespace lathe::cache {

Result<FileLock> FileLock::acquire(const std::filesystem::path& path, std::chrono::milliseconds timeout) {
  using Clock = std::chrono::steady_clock;
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return system_error("open the lock", path.string(), errno);
  // flock belongs to the open file, so two threads that open it lock each other out like two processes do.
  const auto deadline = Clock::now() + timeout;
  auto pause = std::chrono::milliseconds(1);
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return system_error("lock", path.string(), errno);
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) {
      return Error{
          .code = ErrorCode::cancelled,
          .stage = Stage::store,
          .message = fmt::format("{} was held by another process for {} ms", path.string(), timeout.count()),
          .hint = "the kernel is compiled here as well"};
    }
    // There is no flock with a timeout. A compile takes 100 ms, so waiting 20 ms too long does not matter.
    std::this_thread::sleep_for(std::min(pause, left));
    pause = std::min(pause * 2, std::chrono::milliseconds(20));
  }
  return FileLock(std::move(file));
}

}  // namespace lathe::cache
