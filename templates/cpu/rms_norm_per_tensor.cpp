// rms_norm, forward, with an fp8 y of one scale, for the CPU: the largest magnitude of each block, of all,
// then what cpu/rms_norm.cpp does.

#include <lathe/args.h>

#include "common/options.h"
#include "cpu/element.h"

// lathe:parameters
using X = Bf16;
using W = Bf16;
using Y = E4m3;
constexpr int kHiddenSize = 4096;
constexpr int kHeads = 1;
constexpr bool kHasWeight = true;
constexpr bool kWeightPerHead = false;
constexpr float kWeightOffset = 0.0f;
constexpr Casting kCasting = Casting::gemma;
constexpr Residual kResidual = Residual::none;
constexpr bool kStoreRstd = false;
constexpr OutputScale kScale = OutputScale::per_tensor;
constexpr bool kRoundToDtype = false;
constexpr int kRowsPerBlock = 8;
// lathe:end

#include "cpu/rms_norm_output.h"

extern "C" void lathe_rms_norm_amax(const lathe::RmsNormArgs* args, Index first_block, Index last_block) {
  const Index units = args->rows * kHeads;
  for (Index block = first_block; block < last_block; ++block) {
    const Index end = (block + 1) * kRowsPerBlock < units ? (block + 1) * kRowsPerBlock : units;
    float largest = 0.0f;
    for (Index unit = block * kRowsPerBlock; unit < end; ++unit) {
      const Row row = row_at(*args, unit);
      const float rstd = reciprocal_root<X, kRoundSteps>(sum_of_squares(row), kHiddenSize, args->epsilon);
      const float own = largest_of(row, rstd, 0, kVectors, true);
      if (own > largest) largest = own;
    }
    static_cast<float*>(args->workspace)[block] = largest;
  }
}

extern "C" void lathe_rms_norm_scale(const lathe::RmsNormArgs* args, Index, Index) {
  const auto* partial = static_cast<const float*>(args->workspace);
  float largest = 0.0f;
  for (Index i = 0; i < args->partials; ++i) largest = partial[i] > largest ? partial[i] : largest;
  *args->y_scale_out = scale_for<Y>(largest, args->amax_floor);
}

extern "C" void lathe_rms_norm(const lathe::RmsNormArgs* args, Index first_block, Index last_block) {
  const Index units = args->rows * kHeads;
  const Index end = last_block * kRowsPerBlock < units ? last_block * kRowsPerBlock : units;
  if (write_rows(*args, first_block * kRowsPerBlock, end, *args->y_scale_out))
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
