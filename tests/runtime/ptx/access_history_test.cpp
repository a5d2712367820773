#include "runtime/ptx/access_history.h"

#include "tests/support/catch.h"

namespace {

using lathe::runtime::ptx::AccessedWord;
using lathe::runtime::ptx::GlobalHistory;
using lathe::runtime::ptx::HistoryPage;
using lathe::runtime::ptx::Ordering;
using lathe::runtime::ptx::Touch;
using lathe::runtime::ptx::WarpOrder;

constexpr std::size_t kWarps = 8;

WarpOrder warp(std::uint16_t number, std::uint32_t cluster = 0) {
  return WarpOrder(cluster, number, kWarps);
}

Touch touch(const WarpOrder& order, bool is_write, bool is_strong = false, std::uint8_t bytes = 0b1111) {
  return {.cluster = order.cluster(),
          .epoch = order.epoch(),
          .instruction = 7,
          .warp = order.warp(),
          .bytes = bytes,
          .is_write = is_write,
          .is_strong = is_strong};
}

TEST_CASE("a word remembers who wrote it and who read it") {
  const WarpOrder a = warp(0);
  const WarpOrder b = warp(1);
  AccessedWord written;
  CHECK(written.add(touch(a, true), a) == nullptr);
  CHECK(written.add(touch(a, false), a) == nullptr);
  const Touch* other = written.add(touch(b, false), b);
  REQUIRE(other != nullptr);
  CHECK(other->warp == 0);
  CHECK(other->is_write);
  AccessedWord read;
  CHECK(read.add(touch(a, false), a) == nullptr);
  CHECK(read.add(touch(b, false), b) == nullptr);
  other = read.add(touch(b, true), b);
  REQUIRE(other != nullptr);
  CHECK(other->warp == 0);
  CHECK_FALSE(other->is_write);
}

TEST_CASE("warps of different clusters are not the same") {
  const WarpOrder a = warp(3, 1);
  const WarpOrder b = warp(3, 2);
  AccessedWord word;
  CHECK(word.add(touch(a, true), a) == nullptr);
  CHECK(word.add(touch(b, true), b) != nullptr);
}

TEST_CASE("only common bytes conflict") {
  AccessedWord word;
  for (std::uint16_t i = 0; i < 4; ++i) {
    const WarpOrder each = warp(i);
    CHECK(word.add(touch(each, true, false, static_cast<std::uint8_t>(1 << i)), each) == nullptr);
  }
  for (std::uint16_t i = 0; i < 4; ++i) {
    const WarpOrder other = warp(static_cast<std::uint16_t>(4 + i));
    const Touch* found = word.add(touch(other, false, false, static_cast<std::uint8_t>(1 << i)), other);
    REQUIRE(found != nullptr);
    CHECK(found->warp == i);
  }
}

TEST_CASE("writes are remembered however many read") {
  const WarpOrder writer = warp(0);
  AccessedWord word;
  CHECK(word.add(touch(writer, true, true), writer) == nullptr);
  for (std::uint16_t i = 1; i < kWarps; ++i) {
    const WarpOrder reader = warp(i);
    CHECK(word.add(touch(reader, false, true), reader) == nullptr);
  }
  const WarpOrder last = warp(7, 9);
  const Touch* found = word.add(touch(last, false), last);
  REQUIRE(found != nullptr);
  CHECK(found->warp == 0);
}

TEST_CASE("strong accesses conflict with weak ones only") {
  const WarpOrder a = warp(0);
  const WarpOrder b = warp(1);
  const WarpOrder c = warp(2);
  AccessedWord word;
  CHECK(word.add(touch(a, true, true), a) == nullptr);
  CHECK(word.add(touch(b, true, true), b) == nullptr);
  CHECK(word.add(touch(c, false, true), c) == nullptr);
  CHECK(word.add(touch(c, false, false), c) != nullptr);
}

TEST_CASE("a strong write is over for who saw its value") {
  const WarpOrder a = warp(0);
  const WarpOrder b = warp(1);
  AccessedWord word;
  CHECK(word.add(touch(a, true, true), a) == nullptr);
  CHECK(word.add(touch(b, true, true), b) == nullptr);
  word.forget_observed(touch(b, true, true));
  CHECK(word.add(touch(b, true), b) == nullptr);
  CHECK(word.add(touch(a, false), a) != nullptr);
}

TEST_CASE("a plain write is over for nobody but those who acquired it") {
  const WarpOrder a = warp(0);
  const WarpOrder b = warp(1);
  AccessedWord word;
  CHECK(word.add(touch(a, true), a) == nullptr);
  word.forget_observed(touch(b, false, true));
  CHECK(word.add(touch(b, false, true), b) != nullptr);
}

TEST_CASE("what is released with a value is acquired with it") {
  WarpOrder a = warp(0);
  WarpOrder b = warp(0, 1);
  HistoryPage page;
  CHECK(page.add(16, 4, touch(a, true), a) == nullptr);
  const Touch release = touch(a, true, true);
  CHECK(page.add(32, 8, release, a) == nullptr);
  page.publish(32, 8, a.publish(Ordering::release));
  CHECK(page.observe(40, 4, touch(b, false, true)) == nullptr);
  b.observe(Ordering::acquire, page.observe(36, 4, touch(b, false, true)));
  CHECK(page.add(16, 4, touch(b, true), b) == nullptr);
  CHECK(page.add(32, 8, touch(b, true), b) == nullptr);
  CHECK(page.add(19, 1, touch(a, false), a) != nullptr);
}

TEST_CASE("pages of global memory stay where they are") {
  GlobalHistory history;
  HistoryPage* first = &history.page(5);
  for (std::uint64_t i = 0; i < 1000; ++i) CHECK(&history.page(i << 20) != first);
  CHECK(&history.page(5) == first);
}

}  // namespace
