// DiskStore: one file per entry, in a directory that several processes and machines may share.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>

#include "cache/cache_directory.h"
#include "cache/file_lock.h"
#include "cache/store.h"

namespace lathe::cache {

struct DiskStoreOptions {
  std::filesystem::path root;
  bool read_only = false;  ///< nothing is ever written, not even to remove what is damaged
};

/// What is to be known of an entry's file without reading its payload.
struct EntryFile {
  std::filesystem::path path;
  std::uintmax_t bytes = 0;
  std::optional<Entry> head{};  ///< without sections; empty when not even the head can be read
};

/// What a full check of an entry's file found.
struct EntryCheck {
  std::filesystem::path path;
  std::string problem{};  ///< empty: sound
};

/// Thread-safe. Directories are made at the first `put`, so that opening changes nothing.
class DiskStore : public Store {
 public:
  /// Errors: io_failed, when the root exists and cannot be trusted or used; see CacheDirectory::open.
  static Result<std::unique_ptr<DiskStore>> open(const DiskStoreOptions& options);

  Result<std::optional<Entry>> get(const Digest& key, std::string_view key_text) override;
  Result<void> put(const Entry& entry) override;
  Result<bool> remove(const Digest& key) override;
  Result<void> for_each(const std::function<bool(const Digest&, const Entry&)>& visit) override;
  std::string describe() const override { return "disk " + directory_.root().string(); }
  std::uint64_t corrupt_count() const override { return corrupt_.load(); }

  /// The lock of one key's compile, among all that use this directory. See FileLock::acquire.
  Result<FileLock> lock(const Digest& key, std::chrono::milliseconds timeout);

  /// For `lathe cache ls`: every file, by its head.
  Result<void> list(const std::function<void(const EntryFile&)>& visit);
  /// For `lathe cache verify`: every file, read in full. Changes nothing.
  Result<void> verify(const std::function<void(const EntryCheck&)>& visit);

  const CacheDirectory& directory() const { return directory_; }

 private:
  DiskStore(CacheDirectory directory, bool read_only)
      : directory_(std::move(directory)), read_only_(read_only) {}

  const CacheDirectory directory_;
  const bool read_only_;
  std::once_flag swept_;
  std::atomic<std::uint64_t> corrupt_{0};
};

}  // namespace lathe::cache
