#include "cache/disk_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "cache/atomic_file.h"
#include "cache/system_error.h"
#include "runtime/base/try.h"

namespace lathe::cache {

namespace {

namespace fs = std::filesystem;

/// Far above any kernel; a file that claims more is not read.
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 30;
/// Enough for key and metadata of ordinary entries.
constexpr std::size_t kHeadBytes = 64 * 1024;

struct FileContents {
  Bytes bytes;
  struct stat status{};
};

/// The first `limit` bytes. Empty: there is no such file.
Result<std::optional<FileContents>> read_file(const fs::path& path, std::uint64_t limit) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) {
    if (errno == ENOENT || errno == ENOTDIR || errno == ESTALE) return std::optional<FileContents>{};
    return system_error("open", path.string(), errno);
  }
  FileContents contents;
  if (::fstat(file.get(), &contents.status) != 0) return system_error("read", path.string(), errno);
  if (!S_ISREG(contents.status.st_mode)) return system_error("read", path.string(), EINVAL);
  const auto size = static_cast<std::uint64_t>(contents.status.st_size);
  contents.bytes.resize(std::min({size, limit, kMaxFileBytes}));
  std::size_t done = 0;
  while (done < contents.bytes.size()) {
    const ssize_t count = ::read(file.get(), contents.bytes.data() + done, contents.bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error("read", path.string(), errno);
    if (count == 0) break;  // shrank meanwhile: the sizes will not add up
    done += static_cast<std::size_t>(count);
  }
  contents.bytes.resize(done);
  return std::optional(std::move(contents));
}

/// Removes the file that was read, not one that another process has put in its place since.
void remove_if_same(const fs::path& path, const struct stat& seen) {
  struct stat now{};
  if (::lstat(path.c_str(), &now) == 0 && now.st_ino == seen.st_ino && now.st_dev == seen.st_dev)
    ::unlink(path.c_str());
}

std::optional<Digest> digest_from(const fs::path& path) {
  return Digest::from_hex(path.parent_path().filename().string() + path.stem().string());
}

std::string problem_of(const fs::path& path) {
  const auto contents = read_file(path, kMaxFileBytes);
  if (!contents) return contents.error().message;
  if (!*contents) return "it is gone";
  std::string why;
  const auto entry = decode((*contents)->bytes, &why);
  if (!entry) return why;
  if (digest_from(path) != digest_of(entry->key_text)) return "it stands under another key than its own";
  return {};
}

}  // namespace

Result<std::unique_ptr<DiskStore>> DiskStore::open(const DiskStoreOptions& options) {
  LATHE_TRY(CacheDirectory directory, CacheDirectory::open(options.root));
  return std::unique_ptr<DiskStore>(new DiskStore(std::move(directory), options.read_only));
}

Result<std::optional<Entry>> DiskStore::get(const Digest& key, std::string_view key_text) {
  const fs::path path = directory_.entry_path(key);
  LATHE_TRY(auto contents, read_file(path, kMaxFileBytes));
  if (!contents) return std::optional<Entry>{};
  auto entry = decode(contents->bytes);
  if (entry && entry->key_text == key_text) return entry;
  corrupt_.fetch_add(1);
  if (!read_only_) remove_if_same(path, contents->status);
  return std::optional<Entry>{};
}

Result<void> DiskStore::put(const Entry& entry) {
  if (read_only_) return {};
  const Digest key = digest_of(entry.key_text);
  LATHE_CHECK(directory_.prepare_to_write(key));
  std::call_once(swept_, [this] { directory_.sweep(); });
  return write_atomically(directory_.entry_path(key), directory_.temporary_directory(), encode(entry));
}

Result<bool> DiskStore::remove(const Digest& key) {
  const fs::path path = directory_.entry_path(key);
  if (read_only_) return false;
  if (::unlink(path.c_str()) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return system_error("remove", path.string(), errno);
}

Result<void> DiskStore::for_each(const std::function<bool(const Digest&, const Entry&)>& visit) {
  return directory_.for_each_path([&](const fs::path& path) {
    const auto contents = read_file(path, kMaxFileBytes);
    if (!contents || !*contents) return true;
    const auto entry = decode((*contents)->bytes);
    if (!entry) return true;
    const Digest key = digest_of(entry->key_text);
    return digest_from(path) == key ? visit(key, *entry) : true;
  });
}

Result<FileLock> DiskStore::lock(const Digest& key, std::chrono::milliseconds timeout) {
  if (read_only_) {
    return Error{.code = ErrorCode::io_failed,
                 .stage = Stage::store,
                 .message = describe() + " is read-only: it has no locks"};
  }
  LATHE_CHECK(directory_.prepare_to_write(key));
  return FileLock::acquire(directory_.lock_path(key), timeout);
}

Result<void> DiskStore::list(const std::function<void(const EntryFile&)>& visit) {
  return directory_.for_each_path([&](const fs::path& path) {
    auto contents = read_file(path, kHeadBytes);
    if (!contents || !*contents) {
      visit({.path = path});
      return true;
    }
    auto head = decode_head((*contents)->bytes);
    if (!head) {  // a long log, perhaps
      contents = read_file(path, kMaxFileBytes);
      if (contents && *contents) head = decode_head((*contents)->bytes);
    }
    visit({.path = path,
           .bytes = contents && *contents ? static_cast<std::uintmax_t>((*contents)->status.st_size) : 0,
           .head = std::move(head)});
    return true;
  });
}

Result<void> DiskStore::verify(const std::function<void(const EntryCheck&)>& visit) {
  return directory_.for_each_path([&](const fs::path& path) {
    visit({.path = path, .problem = problem_of(path)});
    return true;
  });
}

}  // namespace lathe::cache
