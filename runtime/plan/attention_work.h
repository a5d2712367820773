// From the lengths of a batch to a list of what each block of an attention launch does. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include <lathe/attention.h>
#include <lathe/attention_plan.h>
#include <lathe/error.h>

namespace lathe::runtime {

/// What the list depends on besides the batch.
struct AttentionTiling {
  std::int64_t tile_rows = 64;  ///< packed rows of a block: query tokens times the heads of a group
  std::int64_t processors = 1;
};

/// Shorter splits cost more in merging than they gain.
inline constexpr std::int64_t kMinAttentionSplit = 256;

/// Tiles of rows that the device works on at a time, for each key-value head: splits aim at filling it.
std::int64_t attention_tiles_at_once(const AttentionSpec& spec, const AttentionTiling& tiling);

/// As many items a grid can have.
std::int64_t most_attention_items(const AttentionSpec& spec);

/// Errors: invalid_argument.
Result<void> check_attention_split(const AttentionPlanOptions& options);

struct AttentionWorkList {
  std::vector<AttentionRequest> requests;
  std::vector<AttentionWork> work;  ///< longest first
  std::vector<AttentionMerge> merges;
  std::int64_t slots = 0;
};

/// REQUIRES: a normalized spec. Errors: invalid_argument, naming the list and the request.
Result<AttentionWorkList> list_attention_work(const AttentionSpec& spec, const AttentionTiling& tiling,
                                              const AttentionBatch& batch,
                                              const AttentionPlanOptions& options);

}  // namespace lathe::runtime
