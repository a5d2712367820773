#include "cache/memory_store.h"

#include <set>

#include "tests/support/catch.h"
#include "tests/support/sample_entry.h"

using lathe::cache::digest_of;
using lathe::cache::MemoryStore;
using lathe::tests::sample_entry;

namespace {

bool has(MemoryStore& store, const std::string& name) {
  const std::string key = sample_entry(name).key_text;
  return store.get(digest_of(key), key).value().has_value();
}

}  // namespace

TEST_CASE("what was put is found under its key text only") {
  MemoryStore store(1 << 20);
  store.put(sample_entry()).value();
  const std::string key = sample_entry().key_text;
  CHECK(store.get(digest_of(key), key).value() == sample_entry());
  CHECK_FALSE(store.get(digest_of(key), "another text").value().has_value());
  CHECK_FALSE(has(store, "two"));
}

TEST_CASE("the least recently used goes first") {
  // Room for three entries, not for four.
  std::size_t bytes = sizeof(lathe::cache::Entry);
  for (const auto& section : sample_entry("a").sections) bytes += section.name.size() + section.bytes.size();
  bytes += sample_entry("a").key_text.size() + sample_entry("a").metadata.size() +
           sample_entry("a").creator.size();
  MemoryStore store(3 * bytes);
  for (const char* name : {"a", "b", "c"}) store.put(sample_entry(name)).value();
  CHECK(has(store, "a"));  // used: now b is the oldest
  store.put(sample_entry("d")).value();
  CHECK_FALSE(has(store, "b"));
  CHECK(has(store, "a"));
  CHECK(has(store, "c"));
  CHECK(has(store, "d"));
}

TEST_CASE("an entry larger than the limit is not kept, and nothing else is lost for it") {
  MemoryStore store(1000);
  store.put(sample_entry()).value();
  auto large = sample_entry("large");
  large.sections[0].bytes.resize(2000);
  store.put(large).value();
  CHECK_FALSE(has(store, "large"));
  CHECK(has(store, "one"));
}

TEST_CASE("putting again replaces, removing removes") {
  MemoryStore store(1 << 20);
  store.put(sample_entry()).value();
  auto changed = sample_entry();
  changed.metadata = "{}";
  store.put(changed).value();
  const std::string key = changed.key_text;
  CHECK(store.get(digest_of(key), key).value()->metadata == "{}");
  CHECK(store.remove(digest_of(key)).value());
  CHECK_FALSE(store.remove(digest_of(key)).value());
  CHECK_FALSE(has(store, "one"));
}

TEST_CASE("every entry is visited, until the visitor has enough") {
  MemoryStore store(1 << 20);
  for (const char* name : {"a", "b", "c"}) store.put(sample_entry(name)).value();
  std::set<std::string> seen;
  store
      .for_each([&](const auto& key, const auto& entry) {
        CHECK(key == digest_of(entry.key_text));
        return seen.insert(entry.key_text).second;
      })
      .value();
  CHECK(seen.size() == 3);
  int visits = 0;
  store.for_each([&](const auto&, const auto&) { return ++visits < 2; }).value();
  CHECK(visits == 2);
}
