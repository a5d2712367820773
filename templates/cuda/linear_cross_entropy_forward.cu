// linear_cross_entropy, mode forward_only, for NVIDIA GPUs of sm_80 and up. Logits of tiles of tokens and
// classes are made on tensor cores and go into maxima and sums while they are in registers.

#include <lathe/args.h>

#include "common/linear_cross_entropy_options.h"
#include "cuda/element.cuh"

// lathe:parameters
using X = Bf16;  // of hidden and weight
using Bias = Bf16;
using Target = long long;  // of targets
constexpr int kHiddenSize = 4096;
constexpr int kVocabSize = 128256;
constexpr Mode kMode = Mode::forward_only;
constexpr Reduction kReduction = Reduction::mean;
constexpr bool kVocabParallel = false;  // classes are a shard's
constexpr bool kHasBias = false;
constexpr bool kHasClassWeights = false;
constexpr bool kHasLabelSmoothing = false;
constexpr bool kHasZLoss = false;
constexpr bool kHasSoftCap = false;
constexpr bool kHasTemperature = false;
constexpr bool kScalesByProbability = false;
constexpr Upstream kUpstream = Upstream::one;
constexpr bool kHasEntropyGradient = false;
constexpr bool kStoreLosses = false;
constexpr bool kStoreZLoss = false;
constexpr bool kStoreLse = false;
constexpr bool kStoreTargetLogits = false;
constexpr bool kStoreEntropy = false;
constexpr bool kStoreArgmax = false;
constexpr bool kStoreAccuracy = false;
constexpr int kCopyBytes = 16;          // per access to hidden and weight
constexpr int kStages = 4;              // tiles in the ring
constexpr int kBlocksPerProcessor = 2;  // what registers are to suffice for
// lathe:end

#include "cuda/cross_entropy_finish.cuh"
#include "cuda/cross_entropy_forward.cuh"
#include "cuda/cross_entropy_reduce.cuh"
#include "cuda/cross_entropy_rows.cuh"

extern "C" __global__ void __launch_bounds__(kRowsThreads)
    lathe_linear_cross_entropy_rows(const __grid_constant__ lathe::LinearCrossEntropyArgs args) {
  divide_tokens(args);
}

extern "C" __global__ void __launch_bounds__(Tile::kThreads, kBlocksPerProcessor)
    lathe_linear_cross_entropy_logits(const __grid_constant__ lathe::LinearCrossEntropyArgs args) {
  extern __shared__ uint4 shared[];
  reduce_logits(args, reinterpret_cast<char*>(shared));
}

extern "C" __global__ void __launch_bounds__(kFinishThreads)
    lathe_linear_cross_entropy_finish(const __grid_constant__ lathe::LinearCrossEntropyArgs args) {
  finish_rows(args);
}

extern "C" __global__ void __launch_bounds__(kReduceThreads)
    lathe_linear_cross_entropy_reduce(const __grid_constant__ lathe::LinearCrossEntropyArgs args) {
  reduce_rows(args);
}
