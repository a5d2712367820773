// How a launch of linear_cross_entropy is divided into chunks so that it fits into its workspace.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <fmt/format.h>

#include "codegen/ops/linear_cross_entropy_steps.h"
#include "codegen/ops/row_tensors.h"
#include "codegen/spec_fields.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

using Mode = LinearCrossEntropyMode;

/// What the workspace takes where the caller does not say: products with a few thousand rows are as fast as
/// they get on a GPU. On a CPU slabs are to stay in the last level of the cache, but chunks are to have so
/// many rows that products take longer than reading and writing d_weight once per chunk.
constexpr Index kBudgetOnGpu = Index{576} << 20;  // 2048 rows of 128 K classes
constexpr Index kBudgetOnCpu = Index{8} << 20;
constexpr Index kFastRowsOnCpu = 128;
constexpr Index kRecomputeBudgetOnGpu = Index{64} << 20;

/// Of the parts of the workspace.
constexpr Index kAlignment = 256;
constexpr Index kTotalsBytes = kAlignment;

Index divide_up(Index a, Index b) {
  return (a + b - 1) / b;
}
Index round_up(Index a, Index b) {
  return divide_up(a, b) * b;
}

/// A launch's sizes, and how many bytes what lies in its workspace takes.
struct Sizes {
  const LinearCrossEntropySpec& spec;
  LinearCrossEntropyTiles tiles;
  Index tokens;
  Index rows;           ///< of a chunk
  Index classes;        ///< likewise
  Index forward_parts;  ///< where there is no slab
  bool on_cpu;

  bool has_slab() const { return spec.mode == Mode::gradient_in_forward || spec.mode == Mode::recompute; }
  /// Whether there may be several chunks: else nothing in the workspace is large.
  bool has_chunks() const { return has_slab() || (on_cpu && spec.mode == Mode::forward_only); }
  bool is_one_chunk_of_rows() const { return rows >= tokens; }

  Index slab_stride() const { return round_up(classes, tiles.classes); }
  Index parts() const {
    if (spec.mode == Mode::gradient_in_forward) return divide_up(classes, tiles.classes);
    return spec.mode == Mode::forward_only ? forward_parts : 0;
  }
  /// Between the planes of values per row.
  Index row_stride() const { return round_up(std::max<Index>(tokens, 1), 64); }

  Index list_bytes() const { return round_up(row_stride() * 4, kAlignment); }
  Index row_bytes() const { return round_up(row_stride() * kRowPlanes * 4, kAlignment); }
  Index part_bytes() const { return round_up(parts() * part_fields(spec) * rows * 4, kAlignment); }
  /// The CPU's panels of hidden, in floats.
  Index packed_bytes() const {
    return on_cpu && spec.mode != Mode::merge ? rows * round_up(spec.hidden_size, 32) * 4 : 0;
  }
  Index slab_bytes() const {
    if (!has_slab()) return 0;
    return round_up(rows * slab_stride() * static_cast<Index>(size_of(spec.dtype)), kAlignment);
  }
  Index d_hidden_bytes() const {
    const bool adds_up = spec.mode == Mode::recompute && spec.store_d_hidden && classes < spec.vocab_size;
    return adds_up ? round_up(rows * spec.hidden_size * 4, kAlignment) : 0;
  }
  Index d_weight_bytes() const {
    const bool adds_up = spec.store_d_weight && !is_one_chunk_of_rows() && spec.accumulator_dtype == f32 &&
                         spec.d_weight_dtype != f32;
    const Index biases = spec.has_bias ? spec.vocab_size : 0;
    return adds_up ? round_up((spec.vocab_size * spec.hidden_size + biases) * 4, kAlignment) : 0;
  }
  Index total_bytes() const {
    return kTotalsBytes + list_bytes() + row_bytes() + part_bytes() + packed_bytes() + slab_bytes() +
           d_hidden_bytes() + d_weight_bytes();
  }

  /// Traffic of sums that are read and written once per chunk: what small chunks cost.
  double traffic() const {
    const auto of = [](Index a, Index b, Index chunks) {
      return static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(chunks);
    };
    const Index row_chunks = divide_up(std::max<Index>(tokens, 1), rows);
    const Index class_chunks = divide_up(spec.vocab_size, classes);
    return of(spec.vocab_size, spec.hidden_size, row_chunks) + of(tokens, spec.hidden_size, class_chunks);
  }
};

/// The most rows of a chunk, with sizes.classes as they are, that fit into the budget; 0: not even a tile.
Index rows_that_fit(Sizes sizes, Index budget) {
  const Index tile = sizes.tiles.rows;
  const Index all = round_up(std::max<Index>(sizes.tokens, 1), tile);
  sizes.rows = all;
  if (sizes.total_bytes() <= budget) return all;
  Index low = 0, high = all / tile;  // tiles that fit, and that do not
  while (low + 1 < high) {
    const Index middle = low + (high - low) / 2;
    sizes.rows = middle * tile;
    (sizes.total_bytes() <= budget ? low : high) = middle;
  }
  // As many chunks, but of one size.
  return low == 0 ? 0 : round_up(divide_up(all, divide_up(all, low * tile)), tile);
}

/// The most classes with sizes.rows as they are; 0: not even a tile.
Index classes_that_fit(Sizes sizes, Index budget) {
  const Index tile = sizes.tiles.classes;
  const Index all = round_up(sizes.spec.vocab_size, tile);
  sizes.classes = sizes.spec.vocab_size;
  if (sizes.total_bytes() <= budget) return sizes.spec.vocab_size;
  sizes.classes = 0;
  const Index left = budget - sizes.total_bytes();
  const Index fit = left / (sizes.rows * static_cast<Index>(size_of(sizes.spec.dtype))) / tile * tile;
  if (left <= 0 || fit <= 0) return 0;
  return std::min<Index>(sizes.spec.vocab_size, round_up(divide_up(all, divide_up(all, fit)), tile));
}

/// The chunks of recompute with the least traffic: rows are halved until there is room for classes.
void choose_recomputed_chunks(Sizes& sizes, Index budget) {
  Sizes best = sizes;
  best.classes = 0;
  for (Index rows = round_up(std::max<Index>(sizes.tokens, 1), sizes.tiles.rows);;
       rows = round_up(rows / 2, sizes.tiles.rows)) {
    sizes.rows = rows;
    sizes.classes = classes_that_fit(sizes, budget);
    if (sizes.classes > 0 && (best.classes == 0 || sizes.traffic() < best.traffic())) {
      best.rows = sizes.rows;
      best.classes = sizes.classes;
    }
    if (rows <= sizes.tiles.rows) break;
  }
  sizes.rows = best.rows;
  sizes.classes = best.classes;
}

void choose_chunks(Sizes& sizes, Index budget) {
  if (!sizes.has_chunks()) {
    sizes.rows = sizes.row_stride();
    sizes.classes = sizes.spec.vocab_size;
  } else if (sizes.spec.mode == Mode::recompute) {
    choose_recomputed_chunks(sizes, budget);
  } else {
    sizes.classes = sizes.spec.vocab_size;
    sizes.rows = rows_that_fit(sizes, budget);
  }
}

/// The smallest chunk that makes sense: a tile of rows, or all where that takes less, since they need no
/// sums; of classes, where they may be cut, a tile too.
Sizes smallest(Sizes sizes) {
  sizes.rows = sizes.has_chunks() ? sizes.tiles.rows : sizes.row_stride();
  sizes.classes = sizes.spec.mode == Mode::recompute
                      ? std::min<Index>(sizes.tiles.classes, sizes.spec.vocab_size)
                      : sizes.spec.vocab_size;
  Sizes all = sizes;
  if (sizes.has_chunks()) all.rows = round_up(std::max<Index>(sizes.tokens, 1), sizes.tiles.rows);
  return all.total_bytes() < sizes.total_bytes() ? all : sizes;
}

Index default_budget(const Sizes& sizes) {
  const Index usual = sizes.on_cpu                         ? kBudgetOnCpu
                      : sizes.spec.mode == Mode::recompute ? kRecomputeBudgetOnGpu
                                                           : kBudgetOnGpu;
  // What does not depend on chunks comes on top.
  Sizes least = smallest(sizes);
  if (sizes.on_cpu && sizes.has_chunks()) {
    least.rows = std::min(kFastRowsOnCpu, round_up(std::max<Index>(sizes.tokens, 1), sizes.tiles.rows));
  }
  return std::max(usual + least.d_weight_bytes() + least.list_bytes() + least.row_bytes(),
                  least.total_bytes());
}

Index forward_parts(const LinearCrossEntropySpec& spec, const LaunchSite& site, Index tokens, bool on_cpu) {
  if (spec.mode != Mode::forward_only) return 0;
  return on_cpu ? forward_parts_on_cpu(spec, tokens) : forward_parts_on_gpu(spec, tokens, site.processors);
}

/// A GPU's tile may have fewer rows than others: what it has none of is neither written nor read.
LinearCrossEntropyTiles tiles_of(const LinearCrossEntropySpec& spec, Index tokens, bool on_cpu) {
  if (on_cpu) return tiles_on_cpu(spec);
  constexpr Index kFewRows = 16;
  LinearCrossEntropyTiles tiles = tiles_on_gpu(spec);
  tiles.rows = std::min(tiles.rows, round_up(std::max<Index>(tokens, 1), kFewRows));
  return tiles;
}

/// Places one thing after the other.
class Places {
 public:
  explicit Places(void* workspace) : at_(reinterpret_cast<std::uintptr_t>(workspace)) {}
  template <class T>
  void place(T*& pointer, Index bytes) {
    pointer = bytes == 0 ? nullptr : reinterpret_cast<T*>(at_);
    at_ += static_cast<std::uintptr_t>(bytes);
  }

 private:
  std::uintptr_t at_;
};

}  // namespace

int part_fields(const LinearCrossEntropySpec& spec) {
  return 2 + (spec.has_label_smoothing ? 1 : 0) + (spec.store_entropy ? 1 : 0) +
         (spec.store_argmax || spec.store_accuracy ? 1 : 0);
}

Result<std::size_t> divide_linear_cross_entropy(const LinearCrossEntropySpec& spec, const LaunchSite& site,
                                                LinearCrossEntropyArgs& args) {
  const bool on_cpu = !site.entries.empty() && site.entries.front().launch.block.x == 1;
  Sizes sizes{.spec = spec,
              .tiles = tiles_of(spec, args.tokens, on_cpu),
              .tokens = args.tokens,
              .rows = 0,
              .classes = 0,
              .forward_parts = forward_parts(spec, site, args.tokens, on_cpu),
              .on_cpu = on_cpu};
  const Index budget = args.workspace_budget > 0 ? args.workspace_budget : default_budget(sizes);
  choose_chunks(sizes, budget);
  const bool has_none = sizes.has_chunks() && (sizes.rows == 0 || sizes.classes == 0);
  if (has_none || (args.workspace_budget > 0 && sizes.total_bytes() > budget)) {
    return bad_argument(SpecFields<LinearCrossEntropySpec>::op,
                        fmt::format("workspace_budget is {} bytes, the smallest chunk takes {}", budget,
                                    smallest(sizes).total_bytes()),
                        "give at least that, or 0 for what is fast");
  }
  args.first_row = args.first_class = 0;
  args.chunk_rows = sizes.rows;
  args.chunk_classes = sizes.classes;
  args.parts = sizes.parts();
  args.row_stride = sizes.row_stride();
  args.slab_stride = sizes.slab_stride();
  Places places(args.workspace);
  places.place(args.totals, kTotalsBytes);
  places.place(args.row_tokens, sizes.list_bytes());
  places.place(args.row_values, sizes.row_bytes());
  places.place(args.part_values, sizes.part_bytes());
  places.place(args.packed_hidden, sizes.packed_bytes());
  places.place(args.slab, sizes.slab_bytes());
  places.place(args.d_hidden_sums, sizes.d_hidden_bytes());
  places.place(args.d_weight_sums, sizes.d_weight_bytes());
  return static_cast<std::size_t>(sizes.total_bytes());
}

}  // namespace lathe::codegen
