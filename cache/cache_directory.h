// CacheDirectory: where entries lie on disk, and whether that place can be trusted.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include <lathe/error.h>

#include "cache/digest.h"

namespace lathe::cache {

/// ```
/// <root>/CACHEDIR.TAG                      backup programs skip the directory
/// <root>/v1/<2 hex>/<30 hex>.lathe         entries
/// <root>/v1/tmp/                           being written
/// <root>/v1/locks/<32 hex>                 compiles going on
/// ```
/// The version of the entry format stands in the path, so that versions never meet. Immutable; thread-safe.
class CacheDirectory {
 public:
  /// Looks only: a root that does not exist yet is made by `prepare_to_write`. Entries are machine code, so a
  /// root that another user owns or that group or others may write to is refused, with what to do about it.
  /// Errors: io_failed.
  static Result<CacheDirectory> open(const std::filesystem::path& root);

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path entry_path(const Digest& key) const;
  std::filesystem::path lock_path(const Digest& key) const;
  std::filesystem::path temporary_directory() const { return version_root() / "tmp"; }
  std::filesystem::path version_root() const;

  /// Makes what is missing, mode 0700, and checks it as `open` does. Cheap when all is there.
  Result<void> prepare_to_write(const Digest& key) const;

  /// Removes temporary files that nobody has touched for an hour: their writers died.
  void sweep() const;

  /// Calls `visit` for the path of each entry, sound or not, until it returns false. A directory that is not
  /// there has none.
  Result<void> for_each_path(const std::function<bool(const std::filesystem::path&)>& visit) const;

 private:
  explicit CacheDirectory(std::filesystem::path root) : root_(std::move(root)) {}

  std::filesystem::path root_;
};

}  // namespace lathe::cache
