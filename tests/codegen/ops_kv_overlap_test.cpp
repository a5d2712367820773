#include "codegen/ops/kv_overlap.h"

#include <cstdint>
#include <random>
#include <set>
#include <vector>

#include "tests/support/catch.h"

using lathe::Index;
using lathe::codegen::KvRuns;

namespace {

KvRuns runs(Index first, Index bytes, const std::vector<KvRuns::Axis>& axes) {
  KvRuns made{.first = first, .bytes = bytes};
  for (const auto& axis : axes) made.add(axis.step, axis.count);
  return made;
}

std::set<Index> bytes_of(const KvRuns& of) {
  std::set<Index> starts{of.first};
  for (std::size_t axis = 0; axis < of.axis_count; ++axis) {
    std::set<Index> more;
    for (const Index start : starts) {
      for (Index i = 0; i < of.axes[axis].count; ++i) more.insert(start + i * of.axes[axis].step);
    }
    starts = more;
  }
  std::set<Index> all;
  for (const Index start : starts) {
    for (Index i = 0; i < of.bytes; ++i) all.insert(start + i);
  }
  return all;
}

bool share(const KvRuns& a, const KvRuns& b) {
  const bool found = share_bytes(a, b);
  CHECK(share_bytes(b, a) == found);
  return found;
}

}  // namespace

TEST_CASE("kv overlap: rows beside each other, and rows that reach into the next ones") {
  const KvRuns latent = runs(0, 512, {{576, 100}});
  CHECK(!share(latent, runs(512, 64, {{576, 100}})));
  CHECK(share(latent, runs(511, 64, {{576, 100}})));
  CHECK(share(latent, runs(512, 65, {{576, 100}})));
  // Of one row there is no next one.
  CHECK(!share(runs(0, 512, {{576, 1}}), runs(512, 65, {{576, 1}})));
  CHECK(!share(latent, runs(576 * 100, 64, {{576, 100}})));
}

TEST_CASE("kv overlap: values of a block, then its scales") {
  const KvRuns values = runs(0, 128, {{16 * 132, 50}, {128, 16}});
  CHECK(!share(values, runs(16 * 128, 4, {{16 * 132, 50}, {4, 16}})));
  CHECK(share(values, runs(16 * 128 - 4, 4, {{16 * 132, 50}, {4, 16}})));
  CHECK(share(values, runs(16 * 128 + 4, 4, {{16 * 132, 50}, {4, 16}})));
  CHECK(!share(runs(0, 128, {{128, 16}}), runs(16 * 128 + 4, 4, {{4, 16}})));
  CHECK(share(values, runs(0, 4, {{16 * 132, 50}, {4, 16}})));
}

TEST_CASE("kv overlap: what it finds is there, and of steps that nest it finds all") {
  std::mt19937 random(1);
  const auto draw = [&](Index most) { return static_cast<Index>(random() % static_cast<unsigned>(most)); };
  int shared = 0;
  for (int i = 0; i < 3000; ++i) {
    KvRuns both[2];
    const Index outer = 40 + draw(60);
    for (KvRuns& made : both) {
      made = {.first = draw(outer), .bytes = 1 + draw(4)};
      const Index inner = made.bytes + draw(4);
      const Index count = 1 + draw(4);
      made.add(inner, count);
      made.add(outer, 1 + draw(4));
      if (inner * (count - 1) + made.bytes > outer) made.axis_count = 0;
    }
    const std::set<Index> a = bytes_of(both[0]);
    bool expected = false;
    for (const Index byte : bytes_of(both[1])) expected = expected || a.count(byte) > 0;
    const bool found = share(both[0], both[1]);
    if (found != expected) CHECK(!found);
    shared += expected;
    const bool nests =
        both[0].axis_count < 2 || both[1].axis_count < 2 || both[0].axes[1].step == both[1].axes[1].step;
    if (nests) CHECK(found == expected);
  }
  CHECK(shared > 300);
}
