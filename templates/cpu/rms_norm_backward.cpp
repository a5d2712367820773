// rms_norm_backward for the CPU. Rows are divided into strips; each strip sums its dw into a row of the
// workspace, and a second entry sums the strips. How many there are depends on the tensors only, so the
// result does not depend on the threads. A row is read twice: once for its sums, once, from the first-level
// cache, for dx and dw.

#include <lathe/args.h>

#include "common/options.h"
#include "cpu/element.h"

// lathe:parameters
using X = Bf16;
using W = Bf16;
using Dw = Bf16;
constexpr int kHiddenSize = 4096;
constexpr int kHeads = 1;
constexpr bool kHasWeight = true;
constexpr bool kWeightPerHead = false;
constexpr float kWeightOffset = 0.0f;
constexpr Casting kCasting = Casting::gemma;
constexpr bool kHasDresidual = false;
constexpr bool kLoadRstd = true;
constexpr bool kStoreDx = true;
constexpr bool kStoreDw = true;
constexpr bool kAccumulateDw = false;
constexpr int kPartialStride = 4096;   // floats between the partial dw of two strips: whole vectors
constexpr int kColumnsPerBlock = 256;  // of the second entry
// lathe:end

#include "cpu/rms_norm_gradient.h"

namespace {

/// The rows [begin, end) of the strip's group.
inline bool do_strip(const lathe::RmsNormBackwardArgs& args, Index number) {
  const Index strips = args.strips / kGroups;
  const Index count = kWeightPerHead ? args.rows : args.rows * kHeads;
  const Index group = number % kGroups;
  const Index begin = number / kGroups * count / strips;
  const Index end = (number / kGroups + 1) * count / strips;
  float* dw = static_cast<float*>(args.workspace) + number * kPartialStride;
  if constexpr (kStoreDw) {
    for (int i = 0; i < kPartialStride; i += kLanes) F32::store(dw + i, 0.0f);
  }
  bool streamed = false;
  for (Index index = begin; index < end; ++index) {
    const Row row = row_at(args, group, index);
    const Row next = row_at(args, group, index + 1 < end ? index + 1 : index);
    const Factors factors = factors_of(args, row);
    if (should_stream(args, row)) {
      finish_row<true>(row, factors, next, dw);
      streamed = true;
    } else {
      finish_row<false>(row, factors, next, dw);
    }
  }
  return streamed;
}

/// dw of one vector of columns, and what it held.
inline Floats held(const Dw::Storage* dw, int count) {
  if constexpr (!kAccumulateDw) return 0.0f;
  return in_order_of<X, Dw>(with_plain_nans(count == kLanes ? Dw::load(dw) : Dw::load_tail(dw, count)));
}

inline void sum_strips(const lathe::RmsNormBackwardArgs& args, Index group, int first, int last) {
  const Index strips = args.rows == 0 ? 0 : args.strips / kGroups;
  const float* partial = static_cast<const float*>(args.workspace) + group * kPartialStride;
  auto* dw = static_cast<Dw::Storage*>(args.dw) + group * kHiddenSize;
  for (int at = first; at < last; at += kLanes) {
    Floats sum = 0.0f;
    for (Index strip = 0; strip < strips; ++strip)
      sum += F32::load(partial + strip * kGroups * kPartialStride + at);
    const int count = last - at < kLanes ? last - at : kLanes;
    const Floats result = with_plain_nans(in_order_of<Dw, X>(sum + held(dw + at, count)));
    if (count == kLanes) {
      Dw::store(dw + at, result);
    } else {
      Dw::store_tail(dw + at, result, count);
    }
  }
}

}  // namespace

extern "C" void lathe_rms_norm_backward(const lathe::RmsNormBackwardArgs* args, Index first_block,
                                        Index last_block) {
  bool streamed = false;
  for (Index strip = first_block; strip < last_block; ++strip) streamed |= do_strip(*args, strip);
  // Streaming stores are not ordered with later ones, such as the one that tells another thread of this
  // block.
  if (streamed) __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

extern "C" void lathe_rms_norm_backward_dw(const lathe::RmsNormBackwardArgs* args, Index first_block,
                                           Index last_block) {
  if constexpr (kStoreDw) {
    constexpr Index kBlocksPerGroup = (kHiddenSize + kColumnsPerBlock - 1) / kColumnsPerBlock;
    for (Index block = first_block; block < last_block; ++block) {
      const int first = static_cast<int>(block % kBlocksPerGroup) * kColumnsPerBlock;
      const int last = first + kColumnsPerBlock < kHiddenSize ? first + kColumnsPerBlock : kHiddenSize;
      sum_strips(*args, block / kBlocksPerGroup, first, last);
    }
  }
}
