#include "runtime/ptx/warp_order.h"

#include "tests/support/catch.h"

namespace {

using lathe::runtime::ptx::Epoch;
using lathe::runtime::ptx::joined;
using lathe::runtime::ptx::Ordering;
using lathe::runtime::ptx::Past;
using lathe::runtime::ptx::PastPointer;
using lathe::runtime::ptx::PhasePast;
using lathe::runtime::ptx::VectorClock;
using lathe::runtime::ptx::WarpOrder;

constexpr std::size_t kWarps = 4;

VectorClock clock(std::initializer_list<unsigned> epochs) {
  VectorClock made(epochs.size());
  std::size_t warp = 0;
  for (const unsigned epoch : epochs) {
    for (unsigned i = 0; i < epoch; ++i) made.advance(warp);
    ++warp;
  }
  return made;
}

/// What a warp does next.
struct Event {
  std::uint32_t cluster;
  std::uint16_t warp;
  Epoch epoch;
};
Event next(const WarpOrder& order) {
  return {order.cluster(), order.warp(), order.epoch()};
}
bool knows(const WarpOrder& order, const Event& event) {
  return order.is_after(event.cluster, event.warp, event.epoch);
}

TEST_CASE("pasts are joined by cluster and warp") {
  const PastPointer a = Past::with(Past::with(nullptr, 7, clock({1, 5})), 2, clock({3, 3}));
  const PastPointer b = Past::with(Past::with(nullptr, 7, clock({4, 2})), 9, clock({1, 1}));
  const PastPointer both = joined(a, b);
  REQUIRE(both->clock_of(7) != nullptr);
  CHECK((*both->clock_of(7))[0] == 4);
  CHECK((*both->clock_of(7))[1] == 5);
  CHECK((*both->clock_of(2))[1] == 3);
  CHECK((*both->clock_of(9))[0] == 1);
  CHECK(both->clock_of(8) == nullptr);
  CHECK(a->clock_of(9) == nullptr);
}

TEST_CASE("a past that covers another is the join of both") {
  const PastPointer small = Past::with(nullptr, 3, clock({1, 1}));
  const PastPointer large = Past::with(Past::with(nullptr, 3, clock({2, 1})), 1, clock({1, 1}));
  CHECK(joined(small, large) == large);
  CHECK(joined(large, small) == large);
  CHECK(joined(small, nullptr) == small);
  CHECK(joined(nullptr, small) == small);
  CHECK(joined(nullptr, nullptr) == nullptr);
}

TEST_CASE("a warp comes after itself only, to begin with") {
  const WarpOrder a(5, 1, kWarps);
  const WarpOrder b(5, 2, kWarps);
  CHECK(knows(a, next(a)));
  CHECK_FALSE(knows(a, next(b)));
  CHECK_FALSE(knows(a, {4, 1, 1}));
}

TEST_CASE("a release publishes what was before it") {
  WarpOrder a(0, 1, kWarps);
  const Event before = next(a);
  const PastPointer published = a.publish(Ordering::release);
  const Event after = next(a);
  for (const std::uint32_t cluster : {0u, 3u}) {
    WarpOrder b(cluster, 2, kWarps);
    b.observe(Ordering::acquire, published);
    CHECK(knows(b, before));
    CHECK_FALSE(knows(b, after));
  }
}

TEST_CASE("a relaxed write publishes what was before the last fence") {
  WarpOrder a(0, 1, kWarps);
  CHECK(a.publish(Ordering::relaxed) == nullptr);
  const Event before = next(a);
  a.fence();
  const Event after = next(a);
  WarpOrder b(1, 1, kWarps);
  b.observe(Ordering::acquire, a.publish(Ordering::volatile_));
  CHECK(knows(b, before));
  CHECK_FALSE(knows(b, after));
}

TEST_CASE("a relaxed read acquires at the next fence") {
  WarpOrder a(0, 1, kWarps);
  const Event before = next(a);
  WarpOrder b(1, 1, kWarps);
  b.observe(Ordering::relaxed, a.publish(Ordering::release));
  CHECK_FALSE(knows(b, before));
  b.fence();
  CHECK(knows(b, before));
  // And hands it on.
  WarpOrder c(2, 1, kWarps);
  c.observe(Ordering::acquire, b.publish(Ordering::relaxed));
  CHECK(knows(c, before));
}

TEST_CASE("a barrier orders arrivals before passing") {
  WarpOrder a(0, 1, kWarps);
  WarpOrder b(0, 2, kWarps);
  const Event before = next(a);
  PhasePast phase(kWarps);
  a.arrive(phase, true);
  const Event after = next(a);
  b.arrive(phase, true);
  b.pass(phase);
  CHECK(knows(b, before));
  CHECK_FALSE(knows(b, after));
  CHECK_FALSE(knows(a, next(b)));
}

TEST_CASE("a barrier hands on what was learned of other clusters") {
  WarpOrder far(3, 0, kWarps);
  const Event before = next(far);
  WarpOrder a(0, 1, kWarps);
  a.observe(Ordering::acquire, far.publish(Ordering::release));
  PhasePast phase(kWarps);
  a.arrive(phase, true);
  WarpOrder b(0, 2, kWarps);
  b.pass(phase);
  CHECK(knows(b, before));
}

TEST_CASE("fences reach through barriers") {
  WarpOrder a(0, 1, kWarps);
  WarpOrder b(0, 2, kWarps);
  const Event before = next(a);
  a.fence();
  PhasePast phase(kWarps);
  a.arrive(phase, true);
  b.pass(phase);
  WarpOrder far(1, 1, kWarps);
  far.observe(Ordering::relaxed, b.publish(Ordering::relaxed));
  PhasePast other(kWarps);
  far.arrive(other, true);
  WarpOrder near(1, 2, kWarps);
  near.pass(other);
  CHECK_FALSE(knows(near, before));
  near.fence();
  CHECK(knows(near, before));
}

TEST_CASE("a relaxed arrival orders what was fenced") {
  WarpOrder a(0, 1, kWarps);
  const Event fenced = next(a);
  a.fence();
  const Event after = next(a);
  PhasePast phase(kWarps);
  a.arrive(phase, false);
  WarpOrder b(0, 2, kWarps);
  b.pass(phase);
  CHECK(knows(b, fenced));
  CHECK_FALSE(knows(b, after));
}

}  // namespace
