#include "cache/cache_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>

#include <fmt/format.h>

#include "cache/entry.h"
#include "cache/system_error.h"
#include "runtime/base/try.h"

namespace lathe::cache {

namespace {

namespace fs = std::filesystem;

Result<void> make_directory(const fs::path& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return system_error(
      "make the directory", path.string(), errno,
      "set LATHE_CACHE_DIR to a directory that can be written; kernels run without the cache all the same");
}

/// The parents too, with the mode that the user's mask gives them: they are not ours.
Result<void> make_root(const fs::path& root) {
  std::error_code error;
  fs::create_directories(root.parent_path(), error);  // what is wrong with them, make_directory says
  return make_directory(root);
}

Result<void> check_trust(const fs::path& root, const struct stat& status) {
  if (!S_ISDIR(status.st_mode)) {
    return Error{.code = ErrorCode::io_failed,
                 .stage = Stage::store,
                 .message = fmt::format("{} is not a directory", root.string()),
                 .hint = "set LATHE_CACHE_DIR to a directory"};
  }
  if (status.st_uid != ::geteuid()) {
    return Error{
        .code = ErrorCode::io_failed,
        .stage = Stage::store,
        .message = fmt::format("{} belongs to user {}, this process runs as user {}", root.string(),
                               status.st_uid, ::geteuid()),
        .hint = "cached kernels are executable code; set LATHE_CACHE_DIR to a directory of your own"};
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Error{.code = ErrorCode::io_failed,
                 .stage = Stage::store,
                 .message = fmt::format("{} has mode {:o}: others may write to it", root.string(),
                                        status.st_mode & 07777),
                 .hint = fmt::format("cached kernels are executable code; run chmod go-w {}", root.string())};
  }
  return {};
}

/// The signature is the one that the Cache Directory Tagging Specification gives.
void write_tag(const fs::path& root) {
  const fs::path tag = root / "CACHEDIR.TAG";
  std::error_code error;
  if (fs::exists(tag, error)) return;
  std::ofstream(tag)
      << "Signature: 8a477f597d28d172789f06886806bc55\n# Kernels compiled by Lathe. Safe to remove.\n";
}

}  // namespace

Result<CacheDirectory> CacheDirectory::open(const fs::path& root) {
  if (root.empty()) {
    return Error{.code = ErrorCode::io_failed,
                 .stage = Stage::store,
                 .message = "the cache directory's name is empty",
                 .hint = "set LATHE_CACHE_DIR"};
  }
  struct stat status{};
  if (::stat(root.c_str(), &status) == 0) {
    LATHE_CHECK(check_trust(root, status));
  } else if (errno != ENOENT) {
    return system_error("use the directory", root.string(), errno,
                        "set LATHE_CACHE_DIR to a directory of your own");
  }
  return CacheDirectory(root);
}

fs::path CacheDirectory::version_root() const {
  return root_ / fmt::format("v{}", kEntryVersion);
}

fs::path CacheDirectory::entry_path(const Digest& key) const {
  const std::string hex = key.hex();
  return version_root() / hex.substr(0, 2) / (hex.substr(2) + ".lathe");
}

fs::path CacheDirectory::lock_path(const Digest& key) const {
  return version_root() / "locks" / key.hex();
}

Result<void> CacheDirectory::prepare_to_write(const Digest& key) const {
  const fs::path shard = entry_path(key).parent_path();
  struct stat status{};
  if (::stat(shard.c_str(), &status) == 0 && ::stat(temporary_directory().c_str(), &status) == 0) return {};
  LATHE_CHECK(make_root(root_));
  if (::stat(root_.c_str(), &status) != 0) return system_error("use the directory", root_.string(), errno);
  LATHE_CHECK(check_trust(root_, status));
  write_tag(root_);
  for (const fs::path& path : {version_root(), temporary_directory(), version_root() / "locks", shard}) {
    LATHE_CHECK(make_directory(path));
  }
  return {};
}

void CacheDirectory::sweep() const {
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(1);
  std::error_code error;
  for (fs::directory_iterator file(temporary_directory(), error), end; !error && file != end;
       file.increment(error)) {
    std::error_code ignored;
    const auto written = fs::last_write_time(file->path(), ignored);
    if (!ignored && written < old) fs::remove(file->path(), ignored);
  }
}

Result<void> CacheDirectory::for_each_path(const std::function<bool(const fs::path&)>& visit) const {
  std::error_code error;
  fs::directory_iterator shard(version_root(), error);
  if (error == std::errc::no_such_file_or_directory) return {};
  for (; !error && shard != fs::directory_iterator(); shard.increment(error)) {
    if (shard->path().filename().string().size() != 2) continue;  // tmp, locks
    std::error_code inner;
    for (fs::directory_iterator file(shard->path(), inner); !inner && file != fs::directory_iterator();
         file.increment(inner)) {
      if (file->path().extension() == ".lathe" && !visit(file->path())) return {};
    }
  }
  if (error) return system_error("read the directory", version_root().string(), error.value());
  return {};
}

}  // namespace lathe::cache
