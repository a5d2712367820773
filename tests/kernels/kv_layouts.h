// Views that the tests of kv_gather and kv_scatter share: small, with no extent a power of two by accident.
#pragma once

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include <lathe/kv_move.h>

namespace lathe::tests {

struct KvShape {
  std::int64_t layers = 3;
  std::int64_t heads = 3;
  std::int64_t content = 40;
  std::int64_t block_size = 5;
  DType dtype = bf16;
};

/// A paged cache of keys and values.
inline KvView paged(const char* axes, const KvShape& shape = {}, KvBase base = KvBase::layer,
                    std::int64_t planes = 2) {
  return {.axes = axes,
          .base = base,
          .dtype = shape.dtype,
          .layers = shape.layers,
          .planes = planes,
          .block_size = shape.block_size,
          .heads = shape.heads,
          .content = shape.content};
}

/// An object, or a list of slots: N without B.
inline KvView object(const char* axes, const KvShape& shape = {}, KvBase base = KvBase::single,
                     std::int64_t planes = 2) {
  KvView view = paged(axes, shape, base, planes);
  view.block_size = 1;
  return view;
}

/// `count` of the numbers below `limit`, in random order, none twice.
inline std::vector<Index> distinct(Index count, Index limit, std::uint32_t seed = 7) {
  std::vector<Index> all(static_cast<std::size_t>(limit));
  std::iota(all.begin(), all.end(), Index{0});
  std::mt19937 random(seed);
  std::shuffle(all.begin(), all.end(), random);
  all.resize(static_cast<std::size_t>(count));
  return all;
}

}  // namespace lathe::tests
