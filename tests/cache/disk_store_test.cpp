#include "cache/disk_store.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "tests/support/catch.h"
#include "tests/support/sample_entry.h"
#include "tests/support/temp_dir.h"

using namespace lathe::cache;
using lathe::tests::sample_entry;
using lathe::tests::TempDir;
namespace fs = std::filesystem;

namespace {

std::unique_ptr<DiskStore> open(const TempDir& directory, bool read_only = false) {
  return DiskStore::open({.root = directory.path(), .read_only = read_only}).value();
}

const std::string kKey = sample_entry().key_text;

bool has_sample(DiskStore& store) {
  return store.get(digest_of(kKey), kKey).value().has_value();
}

void write_file(const fs::path& path, const Bytes& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

TEST_CASE("what one store puts, another finds") {
  const TempDir directory;
  open(directory)->put(sample_entry()).value();
  const auto store = open(directory);
  CHECK(store->get(digest_of(kKey), kKey).value() == sample_entry());
  CHECK_FALSE(store->get(digest_of("other"), "other").value().has_value());
  CHECK(store->remove(digest_of(kKey)).value());
  CHECK_FALSE(store->remove(digest_of(kKey)).value());
  CHECK(store->corrupt_count() == 0);
}

TEST_CASE("a directory that is not there yet is an empty store") {
  const TempDir directory;
  const auto store = DiskStore::open({.root = directory.path() / "not" / "yet"}).value();
  CHECK_FALSE(has_sample(*store));
  store->for_each([](const auto&, const auto&) { return true; }).value();
  CHECK_FALSE(fs::exists(directory.path() / "not"));
}

TEST_CASE("an entry cut off anywhere, or with any byte changed, is a miss and goes") {
  const TempDir directory;
  const auto store = open(directory);
  store->put(sample_entry()).value();
  const fs::path path = store->directory().entry_path(digest_of(kKey));
  const Bytes whole = encode(sample_entry());
  std::uint64_t damaged = 0;
  const auto expect_miss = [&](const Bytes& bytes) {
    write_file(path, bytes);
    if (has_sample(*store) || fs::exists(path)) FAIL("damage " << damaged << " was believed or left");
    ++damaged;
  };
  for (std::size_t length = 0; length < whole.size(); ++length) {
    expect_miss({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)});
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    Bytes bytes = whole;
    bytes[at] ^= std::byte{0x10};
    expect_miss(bytes);
  }
  CHECK(store->corrupt_count() == damaged);
  store->put(sample_entry()).value();
  CHECK(has_sample(*store));
}

TEST_CASE("an entry of another key is a miss, even where its digest says it should be") {
  const TempDir directory;
  const auto store = open(directory);
  store->put(sample_entry()).value();
  write_file(store->directory().entry_path(digest_of(kKey)), encode(sample_entry("two")));
  CHECK_FALSE(has_sample(*store));
  CHECK(store->corrupt_count() == 1);
}

TEST_CASE("other versions of the format live beside this one") {
  const TempDir directory;
  fs::create_directories(directory.path() / "v0" / "ab");
  write_file(directory.path() / "v0" / "ab" / "cd.lathe", lathe::tests::bytes_of("an older format"));
  const auto store = open(directory);
  store->put(sample_entry()).value();
  CHECK(has_sample(*store));
  CHECK(fs::exists(directory.path() / "v0" / "ab" / "cd.lathe"));
  int visits = 0;
  store->for_each([&](const auto&, const auto&) { return ++visits > 0; }).value();
  CHECK(visits == 1);
}

TEST_CASE("a read-only store never writes, not even to clean up") {
  const TempDir directory;
  open(directory)->put(sample_entry()).value();
  const auto store = open(directory, true);
  CHECK(has_sample(*store));
  store->put(sample_entry("two")).value();
  CHECK_FALSE(store->remove(digest_of(kKey)).value());
  CHECK_FALSE(store->lock(digest_of(kKey), std::chrono::milliseconds(0)).has_value());
  const fs::path path = store->directory().entry_path(digest_of(kKey));
  write_file(path, lathe::tests::bytes_of("damaged"));
  CHECK_FALSE(has_sample(*store));
  CHECK(fs::exists(path));
  CHECK_FALSE(fs::exists(store->directory().entry_path(digest_of(sample_entry("two").key_text))));
}

TEST_CASE("an entry that may not be read is an error, a directory that may not be written too") {
  if (geteuid() != 0) {
    WARN("skipped: needs root, to become somebody without rights");
    return;
  }
  const TempDir directory;
  REQUIRE(chmod(directory.path().c_str(), 0755) == 0);
  REQUIRE(chown(directory.path().c_str(), 65534, 65534) == 0);
  const pid_t child = fork();
  if (child == 0) {
    if (seteuid(65534) != 0) _exit(9);
    const auto store = open(directory);
    if (!store->put(sample_entry())) _exit(1);
    const fs::path path = store->directory().entry_path(digest_of(kKey));
    chmod(path.c_str(), 0);
    const auto unreadable = store->get(digest_of(kKey), kKey);
    if (unreadable || unreadable.error().message.find("Permission denied") == std::string::npos) _exit(2);
    chmod(path.c_str(), 0600);
    chmod(store->directory().temporary_directory().c_str(), 0500);
    if (store->put(sample_entry())) _exit(3);
    if (!has_sample(*store)) _exit(4);  // what is there is still found
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("an entry from the future is an entry") {
  const TempDir directory;
  const auto store = open(directory);
  auto entry = sample_entry();
  entry.created_unix = ~std::uint64_t{0};
  store->put(entry).value();
  fs::last_write_time(store->directory().entry_path(digest_of(kKey)),
                      fs::file_time_type::clock::now() + std::chrono::hours(24 * 365));
  CHECK(has_sample(*store));
}

TEST_CASE("files are listed by their heads and verified in full") {
  const TempDir directory;
  const auto store = open(directory);
  for (const char* name : {"one", "two", "three"}) store->put(sample_entry(name)).value();
  Bytes damaged = encode(sample_entry("two"));
  damaged[damaged.size() - 20] ^= std::byte{1};  // in the payload
  write_file(store->directory().entry_path(digest_of(sample_entry("two").key_text)), damaged);
  write_file(store->directory().entry_path(digest_of(sample_entry("three").key_text)),
             encode(sample_entry("four")));
  int listed = 0;
  store
      ->list([&](const EntryFile& file) {
        ++listed;
        CHECK(file.head.has_value());
        CHECK(file.bytes > 100);
      })
      .value();
  CHECK(listed == 3);
  std::map<std::string, int> problems;
  store->verify([&](const EntryCheck& check) { ++problems[check.problem.substr(0, 8)]; }).value();
  CHECK(problems == std::map<std::string, int>{{"", 1}, {"checksum", 1}, {"it stand", 1}});
  CHECK(fs::exists(store->directory().entry_path(digest_of(sample_entry("two").key_text))));
}
