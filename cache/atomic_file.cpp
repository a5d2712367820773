#include "cache/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "cache/system_error.h"
#include "runtime/base/try.h"

namespace lathe::cache {

namespace {
constexpr const char* kHint =
    "free some space, or point LATHE_CACHE_DIR elsewhere; kernels run without the cache all the same";
}

Result<AtomicFile> AtomicFile::create(const std::filesystem::path& temporary_directory) {
  std::string name = (temporary_directory / "entry-XXXXXX").string();
  const int descriptor = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor < 0) return system_error("create a file in", temporary_directory.string(), errno, kHint);
  return AtomicFile(FileDescriptor(descriptor), name);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : file_(std::move(other.file_)), path_(std::move(other.path_)) {
  other.path_.clear();
}

AtomicFile::~AtomicFile() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

Result<void> AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return system_error("write to", path_.string(), written < 0 ? errno : ENOSPC, kHint);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> AtomicFile::sync() {
  while (::fsync(file_.get()) != 0) {
    if (errno == EINVAL || errno == EROFS) break;  // a file system that has no notion of it
    if (errno != EINTR) return system_error("flush", path_.string(), errno, kHint);
  }
  return {};
}

Result<void> AtomicFile::publish(const std::filesystem::path& destination) {
  if (::rename(path_.c_str(), destination.c_str()) != 0)
    return system_error("rename a file to", destination.string(), errno, kHint);
  path_.clear();
  // That the name is durable too is worth a try; without it an entry is lost in a power cut, which costs one
  // compile.
  const FileDescriptor directory(
      ::open(destination.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory) (void)::fsync(directory.get());
  return {};
}

Result<void> write_atomically(const std::filesystem::path& destination,
                              const std::filesystem::path& temporary_directory,
                              std::span<const std::byte> bytes) {
  LATHE_TRY(AtomicFile file, AtomicFile::create(temporary_directory));
  LATHE_CHECK(file.write(bytes));
  LATHE_CHECK(file.sync());
  return file.publish(destination);
}

}  // namespace lathe::cache
