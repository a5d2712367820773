#include "cache/cache_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using lathe::cache::CacheDirectory;
using lathe::cache::Digest;
namespace fs = std::filesystem;

namespace {

const Digest kKey{0x0123456789abcdef, 0xfedcba9876543210};

std::string refusal(const fs::path& root) {
  const auto directory = CacheDirectory::open(root);
  return directory ? "accepted" : directory.error().message;
}

}  // namespace

TEST_CASE("opening makes nothing, preparing makes everything, private") {
  const lathe::tests::TempDir parent;
  const fs::path root = parent.path() / "a" / "lathe";
  const CacheDirectory directory = CacheDirectory::open(root).value();
  CHECK_FALSE(fs::exists(root));
  directory.prepare_to_write(kKey).value();
  directory.prepare_to_write(kKey).value();  // again: nothing to do
  CHECK(directory.entry_path(kKey) == root / "v1" / "01" / "23456789abcdeffedcba9876543210.lathe");
  CHECK(directory.lock_path(kKey) == root / "v1" / "locks" / "0123456789abcdeffedcba9876543210");
  CHECK(fs::exists(root / "CACHEDIR.TAG"));
  for (const fs::path& path :
       {root, root / "v1", root / "v1" / "01", root / "v1" / "tmp", root / "v1" / "locks"}) {
    INFO(path);
    CHECK((fs::status(path).permissions() & fs::perms::mask) == fs::perms::owner_all);
  }
}

TEST_CASE("a root that cannot be trusted is refused, with what to do") {
  const lathe::tests::TempDir parent;
  const fs::path root = parent.path() / "lathe";
  fs::create_directory(root);
  REQUIRE(chmod(root.c_str(), 0770) == 0);
  CHECK(refusal(root) == root.string() + " has mode 770: others may write to it");
  CHECK(CacheDirectory::open(root).error().hint.find("chmod go-w") != std::string::npos);
  REQUIRE(chmod(root.c_str(), 0755) == 0);
  CHECK(refusal(root) == "accepted");
  if (geteuid() == 0) {
    REQUIRE(chown(root.c_str(), 12345, 12345) == 0);
    CHECK(refusal(root) == root.string() + " belongs to user 12345, this process runs as user 0");
  } else {
    WARN("skipped: only root can give a directory away");
  }
  CHECK(refusal("") == "the cache directory's name is empty");
  std::ofstream(parent.path() / "file") << "x";
  CHECK(refusal(parent.path() / "file") == (parent.path() / "file").string() + " is not a directory");
  CHECK(refusal(parent.path() / "file" / "below").find("Not a directory") != std::string::npos);
}

TEST_CASE("a root behind a symbolic link is the user's choice") {
  const lathe::tests::TempDir parent;
  fs::create_directory(parent.path() / "real");
  fs::create_directory_symlink(parent.path() / "real", parent.path() / "link");
  CHECK(refusal(parent.path() / "link") == "accepted");
}

TEST_CASE("only files that nobody has touched for an hour are swept") {
  const lathe::tests::TempDir parent;
  const CacheDirectory directory = CacheDirectory::open(parent.path() / "c").value();
  directory.prepare_to_write(kKey).value();
  const fs::path fresh = directory.temporary_directory() / "fresh",
                 stale = directory.temporary_directory() / "stale";
  for (const fs::path& path : {fresh, stale}) std::ofstream(path) << "x";
  fs::last_write_time(stale, fs::file_time_type::clock::now() - std::chrono::hours(2));
  directory.sweep();
  CHECK(fs::exists(fresh));
  CHECK_FALSE(fs::exists(stale));
}
