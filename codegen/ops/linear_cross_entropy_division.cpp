// How a launch of linear_cross_entropy is divided into chunks so that it fits into its workspace.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <fmt/format.h>

#include "codegen/ops/linear_cross_entropy_sizes.h"
#include "codegen/ops/linear_cross_entropy_steps.h"
#include "codegen/ops/row_tensors.h"
#include "codegen/spec_fields.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

using Mode = LinearCrossEntropyMode;
using Sweep = LinearCrossEntropySweep;
using Sizes = LinearCrossEntropySizes;

/// What the workspace takes where the caller does not say: products with a few thousand rows are as fast as
/// they get on a GPU. On a CPU slabs are to stay in the last level of the cache, but chunks are to have so
/// many rows that products take longer than reading and writing d_weight once per chunk.
constexpr Index kBudgetOnGpu = Index{576} << 20;  // 2048 rows of 128 K classes
constexpr Index kBudgetOnCpu = Index{8} << 20;
constexpr Index kFastRowsOnCpu = 128;
constexpr Index kRecomputeBudgetOnGpu = Index{64} << 20;
constexpr Index kBlocksPerProcessor = 2;  // of a GPU's products

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

/// The chunks of recompute that take the least time: rows are halved until there is room for classes.
void choose_recomputed_chunks(Sizes& sizes, Index budget) {
  Sizes best = sizes;
  best.classes = 0;
  for (Index rows = round_up(std::max<Index>(sizes.tokens, 1), sizes.tiles.rows);;
       rows = round_up(rows / 2, sizes.tiles.rows)) {
    sizes.rows = rows;
    sizes.classes = classes_that_fit(sizes, budget);
    if (sizes.classes > 0 && (best.classes == 0 || sizes.cost() < best.cost())) {
      best.rows = sizes.rows;
      best.classes = sizes.classes;
    }
    if (rows <= sizes.tiles.rows) break;
  }
  sizes.rows = best.rows;
  sizes.classes = best.classes;
}

/// With chunks that fit into the budget; nothing, if there are none.
std::optional<Sizes> divided(Sizes sizes, Index budget) {
  sizes.classes = sizes.spec.vocab_size;
  if (!sizes.has_chunks()) {
    sizes.rows = sizes.row_stride();
  } else if (sizes.spec.mode == Mode::recompute) {
    choose_recomputed_chunks(sizes, budget);
  } else {
    sizes.rows = rows_that_fit(sizes, budget);
  }
  const bool has_none = sizes.has_chunks() && (sizes.rows == 0 || sizes.classes == 0);
  if (has_none || sizes.total_bytes() > budget) return std::nullopt;
  return sizes;
}

/// The chunks that take the least memory: a tile of rows and, where they may be cut, of classes, or all,
/// which need no sums.
Sizes smallest(Sizes sizes) {
  const auto least_of = [](const Sizes& a, const Sizes& b) {
    return b.total_bytes() < a.total_bytes() ? b : a;
  };
  const auto with_rows = [&](Index rows) {
    Sizes whole = sizes;
    whole.rows = rows;
    whole.classes = sizes.spec.vocab_size;
    if (sizes.spec.mode != Mode::recompute) return whole;
    Sizes tile = whole;
    tile.classes = std::min<Index>(sizes.tiles.classes, sizes.spec.vocab_size);
    return least_of(tile, whole);
  };
  if (!sizes.has_chunks()) return with_rows(sizes.row_stride());
  return least_of(with_rows(sizes.tiles.rows),
                  with_rows(round_up(std::max<Index>(sizes.tokens, 1), sizes.tiles.rows)));
}

/// With products for one gradient only.
Sizes of_sweep(Sizes sizes, Sweep sweep) {
  sizes.sweep = sweep;
  return sizes;
}

bool may_sweep_twice(const LinearCrossEntropySpec& spec) {
  return spec.mode == Mode::recompute && spec.store_d_hidden && spec.store_d_weight;
}

Index smallest_bytes(const Sizes& sizes) {
  const Index once = smallest(sizes).total_bytes();
  if (!may_sweep_twice(sizes.spec)) return once;
  return std::min(once, std::max(smallest(of_sweep(sizes, Sweep::d_weight)).total_bytes(),
                                 smallest(of_sweep(sizes, Sweep::d_hidden)).total_bytes()));
}

/// Of recompute on a GPU, which is chosen to save memory. Where d_weight comes from chunks with all tokens,
/// they are to have so many classes that its product keeps all processors at work.
Index recompute_budget_on_gpu(const Sizes& sizes) {
  Index budget = std::max(kRecomputeBudgetOnGpu, kRecomputeBudgetOnGpu / 2 + sizes.token_bytes());
  Sizes filling = of_sweep(sizes, Sweep::d_weight);
  filling.rows = filling.tiles.rows;
  if (sizes.tokens > filling.rows && filling.d_weight_bytes() > 0) {
    filling.rows = round_up(sizes.tokens, filling.tiles.rows);
    filling.classes = std::min<Index>(
        sizes.spec.vocab_size, filling.tiles.classes * divide_up(filling.slots, filling.hidden_tiles()));
    budget = std::max(budget, filling.total_bytes());
  }
  return std::max(budget, smallest_bytes(sizes));
}

Index default_budget(const Sizes& sizes) {
  const bool recomputes = sizes.spec.mode == Mode::recompute;
  if (recomputes && !sizes.on_cpu) return recompute_budget_on_gpu(sizes);
  // What does not depend on chunks comes on top; of recompute, the sums that a single sweep needs.
  Sizes least = smallest(sizes);
  if (sizes.on_cpu && sizes.has_chunks() && least.rows < kFastRowsOnCpu) {
    least.rows = std::min(kFastRowsOnCpu, round_up(std::max<Index>(sizes.tokens, 1), sizes.tiles.rows));
  }
  const Index sums =
      least.d_weight_bytes() + (recomputes ? least.d_hidden_bytes() + least.packed_bytes() : 0);
  return std::max((sizes.on_cpu ? kBudgetOnCpu : kBudgetOnGpu) + sums + least.token_bytes(),
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

/// A launch that is not divided yet.
Sizes whole_of(const LinearCrossEntropySpec& spec, const LaunchSite& site,
               const LinearCrossEntropyArgs& args) {
  const bool on_cpu = !site.entries.empty() && site.entries.front().launch.block.x == 1;
  return {.spec = spec,
          .sweep = Sweep::both,
          .tiles = tiles_of(spec, args.tokens, on_cpu),
          .tokens = args.tokens,
          .rows = 0,
          .classes = 0,
          .forward_parts = forward_parts(spec, site, args.tokens, on_cpu),
          .slots = on_cpu ? 1 : kBlocksPerProcessor * std::max(site.processors, 1),
          .on_cpu = on_cpu};
}

Index budget_of(const Sizes& whole, const LinearCrossEntropyArgs& args) {
  return args.workspace_budget > 0 ? args.workspace_budget : default_budget(whole);
}

/// The passes of a launch over its chunks.
struct Sweeps {
  Sizes first;
  std::optional<Sizes> second;

  Index total_bytes() const { return std::max(first.total_bytes(), second ? second->total_bytes() : 0); }
};

/// The fastest within the budget; nothing, if the smallest chunk does not fit.
std::optional<Sweeps> sweeps_within(const Sizes& whole, Index budget) {
  const auto both = divided(whole, budget);
  if (may_sweep_twice(whole.spec)) {
    const auto d_weight = divided(of_sweep(whole, Sweep::d_weight), budget);
    const auto d_hidden = divided(of_sweep(whole, Sweep::d_hidden), budget);
    if (d_weight && d_hidden && (!both || d_weight->cost() + d_hidden->cost() < both->cost()))
      return Sweeps{*d_weight, d_hidden};
  }
  if (!both) return std::nullopt;
  return Sweeps{*both, {}};
}

void begin_sweep(const Sizes& sizes, LinearCrossEntropyArgs& args) {
  args.sweep = static_cast<Index>(sizes.sweep);
  args.first_row = args.first_class = 0;
  args.chunk_rows = sizes.rows;
  args.chunk_classes = sizes.classes;
  args.parts = sizes.parts();
  args.row_stride = sizes.row_stride();
  args.slab_stride = sizes.slab_stride();
  Places places(args.workspace);
  places.place(args.totals, Sizes::kTotalsBytes);
  places.place(args.row_tokens, sizes.list_bytes());
  places.place(args.row_values, sizes.row_bytes());
  places.place(args.part_values, sizes.part_bytes());
  places.place(args.packed_hidden, sizes.packed_bytes());
  places.place(args.slab, sizes.slab_bytes());
  places.place(args.d_hidden_sums, sizes.d_hidden_bytes());
  places.place(args.d_weight_sums, sizes.d_weight_bytes());
}

}  // namespace

int part_fields(const LinearCrossEntropySpec& spec) {
  return 2 + (spec.has_label_smoothing ? 1 : 0) + (spec.store_entropy ? 1 : 0) +
         (spec.store_argmax || spec.store_accuracy ? 1 : 0);
}

Result<std::size_t> divide_linear_cross_entropy(const LinearCrossEntropySpec& spec, const LaunchSite& site,
                                                LinearCrossEntropyArgs& args) {
  const Sizes whole = whole_of(spec, site, args);
  const Index budget = budget_of(whole, args);
  const std::optional<Sweeps> sweeps = sweeps_within(whole, budget);
  if (!sweeps) {
    return bad_argument(SpecFields<LinearCrossEntropySpec>::op,
                        fmt::format("workspace_budget is {} bytes, the smallest chunk takes {}", budget,
                                    smallest_bytes(whole)),
                        "give at least that, or 0 for what is fast");
  }
  begin_sweep(sweeps->first, args);
  return static_cast<std::size_t>(sweeps->total_bytes());
}

bool begin_next_sweep(const LinearCrossEntropySpec& spec, const LaunchSite& site,
                      LinearCrossEntropyArgs& args) {
  if (sweep_of(args) != Sweep::d_weight) return false;
  const Sizes whole = whole_of(spec, site, args);
  begin_sweep(*sweeps_within(whole, budget_of(whole, args))->second, args);
  return true;
}

}  // namespace lathe::codegen
