// The spec of a linear layer fused with cross-entropy: the head of a language model.
#pragma once

#include <cstdint>
#include <optional>

#include <lathe/dtype.h>
#include <lathe/linear_cross_entropy_args.h>

namespace lathe {

/// What a launch does. See LinearCrossEntropyArgs.
enum class LinearCrossEntropyMode : std::uint8_t {
  forward_only,         ///< losses; no memory beyond a few numbers per token. 2 tokens x hidden x vocab FLOP
  gradient_in_forward,  ///< losses and gradients, at the least work: three such products
  recompute,            ///< gradients after a forward_only that stored lse: three; four with the forward
  merge,                ///< losses from the partials of a vocabulary's shards
};

enum class LossReduction : std::uint8_t { mean, sum, none };

/// What gradients are multiplied by.
enum class UpstreamGradient : std::uint8_t {
  one,
  scalar,  ///< a float on the device
  token,   ///< a float per token
};

/// Loss of hidden x weight^T against targets, and its gradients, without ever storing the logits of all
/// tokens. See LinearCrossEntropyArgs for the tensors and the formulas.
struct LinearCrossEntropySpec {
  using Args = LinearCrossEntropyArgs;

  std::int64_t hidden_size = 0;  ///< 1 to 65536; of merge 0
  std::int64_t vocab_size = 0;   ///< rows of the weight, 1 to 2^24; of merge 0
  DType dtype = bf16;            ///< of hidden and weight: f16, bf16, on the CPU f32 too
  DType target_dtype = i64;      ///< i32 or i64
  LinearCrossEntropyMode mode = LinearCrossEntropyMode::gradient_in_forward;
  LossReduction reduction = LossReduction::mean;
  bool vocab_parallel = false;  ///< the weight is a shard: of forward_only and recompute; merge has it set

  bool has_bias = false;
  std::optional<DType> bias_dtype{};  ///< f32 or dtype; unset: dtype
  bool has_class_weights = false;
  bool has_label_smoothing = false;
  bool has_z_loss = false;  ///< lse_square_scale is used
  bool has_soft_cap = false;
  bool has_temperature = false;
  bool scales_by_probability = false;  ///< each token's loss is multiplied by p(target), taken as a constant
  UpstreamGradient upstream = UpstreamGradient::one;
  bool has_entropy_gradient = false;  ///< recompute: gradients of the tokens' entropies are added

  bool store_losses = false;  ///< per token; set with reduction none
  bool store_z_loss = false;
  bool store_lse = false;
  bool store_target_logits = false;
  bool store_entropy = false;
  bool store_argmax = false;
  bool store_accuracy = false;

  bool store_d_hidden = true;             ///< false: hidden is frozen. Modes without gradients have neither
  bool store_d_weight = true;             ///< false: weight and bias are frozen
  std::optional<DType> d_hidden_dtype{};  ///< dtype or f32; unset: dtype
  DType d_weight_dtype = f32;             ///< of d_weight and d_bias: f32 or dtype
  /// What the parts of d_weight that several chunks of tokens give are added up in: f32, in d_weight itself
  /// or, where that has fewer bits, in the workspace; or d_weight_dtype, in d_weight.
  DType accumulator_dtype = f32;
  bool accumulate_d_weight = false;  ///< d_weight and d_bias are added to what they hold

  /// Bytes that hidden, weight, d_hidden, d_weight and their strides are multiples of, at least an element,
  /// up to 16. 0: the most that tightly packed rows have.
  std::int64_t alignment = 0;

  friend bool operator==(const LinearCrossEntropySpec&, const LinearCrossEntropySpec&) = default;
};

}  // namespace lathe
