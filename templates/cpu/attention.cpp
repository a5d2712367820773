// attention for the CPU. A block takes a tile of rows, queries times the heads that share a key-value head,
// through its keys, 64 at a time: two products, with the softmax between them, add them to the rows. Many
// rows pay for packing keys and values into panels of floats in the caches, few rows read them where they
// lie. Where a tile's keys are split over blocks, a second entry point merges what they left in the
// workspace.

#include <lathe/args.h>

#include "common/attention_options.h"
#include "cpu/attention_output.h"
#include "cpu/attention_tile.h"
#include "cpu/element.h"

// lathe:parameters
using X = Bf16;
using Kv = Bf16;
using PageNumber = int;
constexpr int kQueryHeads = 32;
constexpr int kKvHeads = 8;
constexpr int kHeadDim = 128;
constexpr int kValueDim = 128;
constexpr int kRestDim = 0;
constexpr bool kValuesAreKeys = false;
constexpr AttentionScale kKvScale = AttentionScale::none;
constexpr KvStorage kStorage = KvStorage::paged;
constexpr int kPageSize = 16;
constexpr Mask kMask = Mask::causal;
constexpr bool kHasWindow = false;
constexpr bool kHasSoftCap = false;
constexpr bool kHasAlibi = false;
constexpr bool kHasSinks = false;
constexpr bool kStoreLse = true;
constexpr int kTileRows = 64;
constexpr bool kHasLogitsHook = false;
constexpr bool kHasMaskHook = false;
constexpr bool kHasQueryHook = false;
constexpr bool kHasKeyHook = false;
constexpr bool kHasOutputHook = false;
constexpr bool kHasRope = false;
constexpr float kRopeFactor = 1.0f;
constexpr Angle kTurns[] = {0};  // per pair; whole vectors
// lathe:end

using lathe::Index;

/// The block above, for the headers.
struct Spec {
  using Query = X;
  using Stored = Kv;
  using PageIndex = PageNumber;
  static constexpr int kQueryHeads = ::kQueryHeads;
  static constexpr int kKvHeads = ::kKvHeads;
  static constexpr int kGroup = ::kQueryHeads / ::kKvHeads;
  static constexpr int kKeyDim = ::kHeadDim - ::kRestDim;
  static constexpr int kRestDim = ::kRestDim;
  static constexpr int kValueDim = ::kValueDim;
  static constexpr bool kValuesAreKeys = ::kValuesAreKeys;
  static constexpr AttentionScale kKvScale = ::kKvScale;
  static constexpr KvStorage kStorage = ::kStorage;
  static constexpr int kPageSize = ::kPageSize;
  static constexpr Mask kMask = ::kMask;
  static constexpr bool kHasWindow = ::kHasWindow;
  static constexpr bool kHasSoftCap = ::kHasSoftCap;
  static constexpr bool kHasAlibi = ::kHasAlibi;
  static constexpr bool kHasSinks = ::kHasSinks;
  static constexpr bool kStoreLse = ::kStoreLse;
  static constexpr int kTileRows = ::kTileRows;
  static constexpr int kHeadDim = ::kHeadDim;
  static constexpr bool kHasLogitsHook = ::kHasLogitsHook;
  static constexpr bool kHasMaskHook = ::kHasMaskHook;
  static constexpr bool kHasQueryHook = ::kHasQueryHook;
  static constexpr bool kHasKeyHook = ::kHasKeyHook;
  static constexpr bool kHasOutputHook = ::kHasOutputHook;
  static constexpr bool kHasRope = ::kHasRope;
  static constexpr float kRopeFactor = ::kRopeFactor;
  static constexpr const Angle* kTurns = ::kTurns;
  static constexpr bool kTransformsQueries = kHasRope || kHasQueryHook;
  static constexpr bool kTransformsKeys = kHasRope || kHasKeyHook;
};

namespace {

/// Key-value heads that take turns with each tile of keys, since what a token's heads need lies next to each
/// other: as many as a modest part of a thread's stack holds.
constexpr int heads_together() {
  constexpr int kMostBytes = 256 << 10;
  constexpr int kFit = kMostBytes / static_cast<int>(sizeof(AttentionTile<Spec>));
  if (!kReadsInPlace<Spec> || kFit < 1) return 1;
  return kFit < kKvHeads ? kFit : kKvHeads;
}
constexpr int kHeadsTogether = heads_together();
// What AttentionSpec says of it; the rest is for what run_heads calls.
static_assert(kHeadsTogether * sizeof(AttentionTile<Spec>) <= (752u << 10), "more than 768 KiB of stack");

void run_heads(const lathe::AttentionArgs& args, const lathe::AttentionWork& work, int first, int heads) {
  AttentionTile<Spec> tiles[kHeadsTogether];
  for (int i = 0; i < heads; ++i) tiles[i].begin(args, work, first + i);
  const auto tile_at = [&](int key) { return KeyTile{key, clamped(Index{work.kv_end} - key, 0, kKeyTile)}; };
  for (int key = work.kv_begin; key < work.kv_end; key += kKeyTile) {
    for (int i = 0; i < heads; ++i) tiles[i].add_keys(tile_at(key), tile_at(key + kKeyTile));
  }
  for (int i = 0; i < heads; ++i) tiles[i].finish(work);
}

/// The weighted mean of a row's partial results, in the order of X's lanes, and the sum of all weights.
SoftmaxSum merge_row(const lathe::AttentionArgs& args, const lathe::AttentionMerge& merge, int kv_head, int i,
                     float* sums) {
  float largest = kMinusInfinity;
  for (int slot = 0; slot < merge.slots; ++slot) {
    const float lse = partial_at<Spec>(args, merge.first_slot + slot, kv_head).lse[i];
    largest = lse > largest ? lse : largest;
  }
  __builtin_memset(sums, 0, padded_to_lanes(kValueDim) * sizeof(float));
  float sum = 0.0f;
  for (int slot = 0; slot < merge.slots; ++slot) {
    const Partial partial = partial_at<Spec>(args, merge.first_slot + slot, kv_head);
    const float weight = exp2_of(partial.lse[i] - subtrahend(largest));
    sum += weight;
    for_each_vector<kValueDim>([&](int at, auto count) {
      const Floats values = load_first<F32, decltype(count)::value>(partial.rows + i * kValueDim + at);
      Floats before;
      __builtin_memcpy(&before, sums + at, sizeof before);
      before += weight * in_order_of<X, F32>(values);
      __builtin_memcpy(sums + at, &before, sizeof before);
    });
  }
  return {largest, sum};
}

void merge_block(const lathe::AttentionArgs& args, const lathe::AttentionMerge& merge, int kv_head) {
  const lathe::AttentionRequest& request = args.requests[merge.request];
  const Index left = Index{request.query_length} * Spec::kGroup - merge.row_begin;
  const int rows = clamped(left, 0, kTileRows);
  alignas(64) float sums[padded_to_lanes(kValueDim)];
  for (int i = 0; i < rows; ++i) {
    const SoftmaxSum softmax = merge_row(args, merge, kv_head, i, sums);
    const int row = merge.row_begin + i;
    const int head = kv_head * Spec::kGroup + row % Spec::kGroup;
    write_row<Spec>(args, request, place_of_row(request, merge.request, row / Spec::kGroup, head, kv_head),
                    sums, softmax);
  }
}

}  // namespace

extern "C" void lathe_attention(const lathe::AttentionArgs* args, Index first_block, Index last_block) {
  for (Index block = first_block; block < last_block;) {
    const lathe::AttentionWork& work = args->work[block / kKvHeads];
    const int head = static_cast<int>(block % kKvHeads);
    const int left = clamped(last_block - block, 0, kKvHeads - head);
    const int heads = left < kHeadsTogether ? left : kHeadsTogether;
    if (work.request >= 0) run_heads(*args, work, head, heads);
    block += heads;
  }
}

extern "C" void lathe_attention_merge(const lathe::AttentionArgs* args, Index first_block, Index last_block) {
  for (Index block = first_block; block < last_block; ++block) {
    const lathe::AttentionMerge& merge = args->merges[block / kKvHeads];
    if (merge.request >= 0) merge_block(*args, merge, static_cast<int>(block % kKvHeads));
  }
}
