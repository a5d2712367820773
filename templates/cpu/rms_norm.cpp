// rms_norm, forward, for the CPU.

#include <lathe/args.h>

#include "common/options.h"
#include "cpu/element.h"

// lathe:parameters
using X = Bf16;
using W = Bf16;
using Y = Bf16;
constexpr int kHiddenSize = 4096;
constexpr int kHeads = 1;
constexpr bool kHasWeight = true;
constexpr bool kWeightPerHead = false;
constexpr float kWeightOffset = 0.0f;
constexpr Casting kCasting = Casting::gemma;
constexpr Residual kResidual = Residual::none;
constexpr bool kStoreRstd = false;
constexpr OutputScale kScale = OutputScale::none;
constexpr bool kRoundToDtype = false;
constexpr int kRowsPerBlock = 8;
// lathe:end

#include "cpu/rms_norm_output.h"

extern "C" void lathe_rms_norm(const lathe::RmsNormArgs* args, Index first_block, Index last_block) {
  const Index units = args->rows * kHeads;
  const Index end = last_block * kRowsPerBlock < units ? last_block * kRowsPerBlock : units;
  float scale = 1.0f;
  if constexpr (kScale == OutputScale::given) scale = *args->y_scale_in;
  if (write_rows(*args, first_block * kRowsPerBlock, end, scale)) __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
