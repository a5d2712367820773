// linear_cross_entropy, mode merge, for NVIDIA GPUs of sm_80 and up: losses from the partials of a
// vocabulary's shards.

#include <lathe/args.h>

#include "common/linear_cross_entropy_options.h"
#include "cuda/element.cuh"

// lathe:parameters
using Target = long long;  // of targets
constexpr int kVocabSize = 0;
constexpr Mode kMode = Mode::merge;
constexpr Reduction kReduction = Reduction::mean;
constexpr bool kVocabParallel = true;  // classes are a shard's
constexpr bool kHasClassWeights = false;
constexpr bool kHasLabelSmoothing = false;
constexpr bool kHasZLoss = false;
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
// lathe:end

#include "cuda/cross_entropy_finish.cuh"
#include "cuda/cross_entropy_reduce.cuh"
#include "cuda/cross_entropy_rows.cuh"

extern "C" __global__ void __launch_bounds__(kRowsThreads)
    lathe_linear_cross_entropy_rows(const __grid_constant__ lathe::LinearCrossEntropyArgs args) {
  divide_tokens(args);
}

extern "C" __global__ void __launch_bounds__(kFinishThreads)
    lathe_linear_cross_entropy_finish(const __grid_constant__ lathe::LinearCrossEntropyArgs args) {
  merge_shards(args);
}

extern "C" __global__ void __launch_bounds__(kReduceThreads)
    lathe_linear_cross_entropy_reduce(const __grid_constant__ lathe::LinearCrossEntropyArgs args) {
  reduce_rows(args);
}
