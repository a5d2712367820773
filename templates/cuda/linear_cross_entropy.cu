// linear_cross_entropy, mode gradient_in_forward, for NVIDIA GPUs of sm_80 and up. Chunk by chunk of tokens:
// exponentials of logits go to a slab, become gradients there, and are multiplied by weight and hidden.

#include <lathe/args.h>

#include "common/linear_cross_entropy_options.h"
#include "cuda/element.cuh"

// lathe:parameters
using X = Bf16;  // of hidden and weight
using Bias = Bf16;
using DHidden = Bf16;
using DWeight = F32;       // of d_weight and d_bias
using Target = long long;  // of targets
constexpr int kHiddenSize = 4096;
constexpr int kVocabSize = 128256;
constexpr Mode kMode = Mode::gradient_in_forward;
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
constexpr bool kStoreDHidden = true;
constexpr bool kStoreDWeight = true;
constexpr bool kAccumulateDWeight = false;
constexpr int kAlignment = 16;          // bytes, of the tensors' rows
constexpr int kCopyBytes = 16;          // per access to hidden and weight
constexpr int kStages = 4;              // tiles in the ring
constexpr int kBlocksPerProcessor = 2;  // what registers are to suffice for
// lathe:end

#include "cuda/cross_entropy_bias.cuh"
#include "cuda/cross_entropy_exponentials.cuh"
#include "cuda/cross_entropy_finish.cuh"
#include "cuda/cross_entropy_gradient.cuh"
#include "cuda/cross_entropy_products.cuh"
#include "cuda/cross_entropy_reduce.cuh"
#include "cuda/cross_entropy_rows.cuh"

extern "C" __global__ void __launch_bounds__(kRowsThreads)
    lathe_linear_cross_entropy_rows(const __grid_constant__ lathe::LinearCrossEntropyArgs args) {
  divide_tokens(args);
}

extern "C" __global__ void __launch_bounds__(Tile::kThreads, kBlocksPerProcessor)
    lathe_linear_cross_entropy_logits(const __grid_constant__ lathe::LinearCrossEntropyArgs args) {
  extern __shared__ uint4 shared[];
  store_exponentials(args, reinterpret_cast<char*>(shared));
}

extern "C" __global__ void __launch_bounds__(kFinishThreads)
    lathe_linear_cross_entropy_finish(const __grid_constant__ lathe::LinearCrossEntropyArgs args) {
  finish_rows(args);
}

extern "C" __global__ void __launch_bounds__(kGradientThreads)
    lathe_linear_cross_entropy_gradient(const __grid_constant__ lathe::LinearCrossEntropyArgs args) {
  make_gradients(args);
}

extern "C" __global__ void __launch_bounds__(Tile::kThreads, kBlocksPerProcessor)
    lathe_linear_cross_entropy_d_hidden(const __grid_constant__ lathe::LinearCrossEntropyArgs args) {
  extern __shared__ uint4 shared[];
  if constexpr (kStoreDHidden) multiply_by_weight(args, reinterpret_cast<char*>(shared));
}

extern "C" __global__ void __launch_bounds__(Tile::kThreads, kBlocksPerProcessor)
    lathe_linear_cross_entropy_d_weight(const __grid_constant__ lathe::LinearCrossEntropyArgs args) {
  extern __shared__ uint4 shared[];
  if constexpr (kStoreDWeight) multiply_by_hidden(args, reinterpret_cast<char*>(shared));
}

extern "C" __global__ void __launch_bounds__(kBiasThreads)
    lathe_linear_cross_entropy_d_bias(const __grid_constant__ lathe::LinearCrossEntropyArgs args) {
  if constexpr (kStoreDWeight && kHasBias) sum_columns(args);
}

extern "C" __global__ void __launch_bounds__(kReduceThreads)
    lathe_linear_cross_entropy_reduce(const __grid_constant__ lathe::LinearCrossEntropyArgs args) {
  reduce_rows(args);
}
