#include "cache/overlay_store.h"

#include "cache/memory_store.h"
#include "tests/support/catch.h"
#include "tests/support/sample_entry.h"

using namespace lathe::cache;
using lathe::Error;
using lathe::Result;
using lathe::tests::sample_entry;

namespace {

/// A store on a disk that fails.
class BrokenStore : public Store {
 public:
  Result<std::optional<Entry>> get(const Digest&, std::string_view) override { return failure(); }
  Result<void> put(const Entry&) override { return failure(); }
  Result<bool> remove(const Digest&) override { return failure(); }
  Result<void> for_each(const std::function<bool(const Digest&, const Entry&)>&) override {
    return failure();
  }
  std::string describe() const override { return "broken"; }
  std::uint64_t corrupt_count() const override { return 3; }

 private:
  static Error failure() { return {.code = lathe::ErrorCode::io_failed, .message = "the disk is on fire"}; }
};

std::shared_ptr<MemoryStore> memory() {
  return std::make_shared<MemoryStore>(1 << 20);
}

const std::string kKey = sample_entry().key_text;

}  // namespace

TEST_CASE("the first layer that has it answers") {
  const auto upper = memory(), lower = memory();
  OverlayStore store({{.store = upper}, {.store = lower}});
  CHECK_FALSE(store.find(digest_of(kKey), kKey).value().has_value());
  lower->put(sample_entry()).value();
  CHECK(store.find(digest_of(kKey), kKey).value()->layer == 1);
  upper->put(sample_entry()).value();
  CHECK(store.find(digest_of(kKey), kKey).value()->layer == 0);
}

TEST_CASE("what is found below is promoted to the layers that want it") {
  const auto wants = memory(), does_not = memory(), has = memory();
  has->put(sample_entry()).value();
  OverlayStore store({{.store = wants, .promote = true}, {.store = does_not}, {.store = has}});
  CHECK(store.get(digest_of(kKey), kKey).value().has_value());
  CHECK(wants->get(digest_of(kKey), kKey).value().has_value());
  CHECK_FALSE(does_not->get(digest_of(kKey), kKey).value().has_value());
}

TEST_CASE("nothing is put into or removed from a read-only layer") {
  const auto writable = memory(), read_only = memory();
  OverlayStore store({{.store = writable}, {.store = read_only, .read_only = true}});
  store.put(sample_entry()).value();
  CHECK_FALSE(read_only->get(digest_of(kKey), kKey).value().has_value());
  read_only->put(sample_entry()).value();
  CHECK(store.remove(digest_of(kKey)).value());
  CHECK(read_only->get(digest_of(kKey), kKey).value().has_value());
}

TEST_CASE("a layer that fails does not hide those below it") {
  const auto good = memory();
  good->put(sample_entry()).value();
  OverlayStore store({{.store = std::make_shared<BrokenStore>()}, {.store = good}});
  CHECK(store.find(digest_of(kKey), kKey).value()->layer == 1);
  const auto other = sample_entry("two").key_text;
  CHECK(store.find(digest_of(other), other).error().message == "the disk is on fire");
  CHECK(store.put(sample_entry("two")).error().message == "the disk is on fire");
  CHECK(good->get(digest_of(other), other).value().has_value());  // put all the same
  CHECK_FALSE(store.remove(digest_of(other)).has_value());
  CHECK(store.corrupt_count() == 3);
  CHECK(store.describe() == "broken, memory");
}

TEST_CASE("each key is visited once") {
  const auto upper = memory(), lower = memory();
  for (const auto& layer : {upper, lower}) layer->put(sample_entry()).value();
  lower->put(sample_entry("two")).value();
  OverlayStore store({{.store = upper}, {.store = lower}});
  int visits = 0;
  store.for_each([&](const auto&, const auto&) { return ++visits > 0; }).value();
  CHECK(visits == 2);
  visits = 0;
  store.for_each([&](const auto&, const auto&) { return ++visits < 1; }).value();
  CHECK(visits == 1);
}
