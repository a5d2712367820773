#include "tools/lathe/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "runtime/base/try.h"

namespace lathe::tools {

namespace {

Error failure(std::string_view verb, const std::string& path, int reason, std::string hint) {
  return {.code = ErrorCode::io_failed,
          .stage = Stage::api,
          .message = fmt::format("cannot {} {}: {}", verb, path, std::strerror(reason)),
          .hint = std::move(hint)};
}

/// 0, or errno.
int write_all(int file, std::string_view content) {
  while (!content.empty()) {
    const ssize_t count = write(file, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return 0;
}

Result<void> write_in_place(const std::string& path, std::string_view content) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0) return failure("write", path, errno, "check the path and its permissions");
  const int reason = write_all(file, content);
  close(file);
  if (reason != 0) return failure("write", path, reason, "is the disk full?");
  return {};
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  const bool is_input = path == "-";
  const int file = is_input ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return failure("read", path, errno, "check the path and its permissions");
  std::string content;
  std::array<char, 1 << 16> block;
  ssize_t count = 0;
  while ((count = read(file, block.data(), block.size())) != 0) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    content.append(block.data(), static_cast<std::size_t>(count));
  }
  const int reason = errno;
  if (!is_input) close(file);
  if (count < 0) return failure("read", path, reason, "check the path and its permissions");
  return content;
}

Result<void> write_file(const std::string& path, std::string_view content) {
  // Devices and pipes are written as they are; replacing /dev/null by a file would be unkind.
  struct stat found{};
  if (stat(path.c_str(), &found) == 0 && !S_ISREG(found.st_mode)) return write_in_place(path, content);
  const std::string temporary = fmt::format("{}.{}.tmp", path, getpid());
  if (auto written = write_in_place(temporary, content); !written) {
    unlink(temporary.c_str());
    // Say the name that was asked for.
    written.error().message = fmt::format("cannot write {}: {}", path, written.error().message);
    return std::move(written).error();
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    const int reason = errno;
    unlink(temporary.c_str());
    return failure("write", path, reason, "check the path and its permissions");
  }
  return {};
}

}  // namespace lathe::tools
