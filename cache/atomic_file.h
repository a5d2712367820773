// AtomicFile: a file that appears whole or not at all.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include <lathe/error.h>

#include "cache/file_descriptor.h"

namespace lathe::cache {

/// A temporary file that `publish` turns into the real one. Destruction without it removes the temporary
/// file; a process that dies leaves it behind, for the next sweep. The steps are separate so that tests can
/// stop after each.
class AtomicFile {
 public:
  /// A new file in `temporary_directory`, which must be of the same file system as the destination. Mode
  /// 0600.
  static Result<AtomicFile> create(const std::filesystem::path& temporary_directory);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  Result<void> write(std::span<const std::byte> bytes);
  /// Until the bytes are on the device. Only then may they get their name: a rename can survive a power cut
  /// that the bytes do not.
  Result<void> sync();
  /// Gives the file its name, replacing what has it. REQUIRES: sync().
  Result<void> publish(const std::filesystem::path& destination);

  const std::filesystem::path& temporary_path() const { return path_; }

 private:
  AtomicFile(FileDescriptor file, std::filesystem::path path)
      : file_(std::move(file)), path_(std::move(path)) {}

  FileDescriptor file_;
  std::filesystem::path path_;  // empty: published or moved from
};

/// All four steps.
Result<void> write_atomically(const std::filesystem::path& destination,
                              const std::filesystem::path& temporary_directory,
                              std::span<const std::byte> bytes);

}  // namespace lathe::cache
