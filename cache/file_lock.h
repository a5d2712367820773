// FileLock: one process, and one thread of it, at a time.
#pragma once

#include <chrono>
#include <filesystem>

#include <lathe/error.h>

#include "cache/file_descriptor.h"

namespace lathe::cache {

/// An advisory lock on a file, held until destruction. The kernel drops it when the process dies, however it
/// dies. Lock files are never removed: removing one that another process is about to lock would let two in.
class FileLock {
 public:
  /// Waits at most `timeout`. Errors: ErrorCode::cancelled when the time ran out, io_failed when the file
  /// cannot be opened or its file system has no locks. Either way the caller can go on without.
  static Result<FileLock> acquire(const std::filesystem::path& path, std::chrono::milliseconds timeout);

 private:
  explicit FileLock(FileDescriptor file) : file_(std::move(file)) {}

  FileDescriptor file_;
};

}  // namespace lathe::cache
