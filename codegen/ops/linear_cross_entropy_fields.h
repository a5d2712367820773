// The field list of linear_cross_entropy's spec.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include <lathe/linear_cross_entropy.h>

#include "codegen/field.h"

namespace lathe::codegen {

template <>
struct EnumNames<LinearCrossEntropyMode> {
  static constexpr std::array<std::string_view, 4> names{"forward_only", "gradient_in_forward", "recompute",
                                                         "merge"};
};
template <>
struct EnumNames<LossReduction> {
  static constexpr std::array<std::string_view, 3> names{"mean", "sum", "none"};
};
template <>
struct EnumNames<UpstreamGradient> {
  static constexpr std::array<std::string_view, 3> names{"one", "scalar", "token"};
};

template <>
struct SpecFields<LinearCrossEntropySpec> {
  using S = LinearCrossEntropySpec;
  template <class T>
  using F = Field<S, T>;
  using Int = std::int64_t;
  static constexpr std::array kFloats{f32, f16, bf16};
  static constexpr std::array kIndices{i32, i64};

  static constexpr std::string_view op = "linear_cross_entropy";
  static constexpr std::tuple fields{
      F<Int>{"hidden_size", &S::hidden_size, {0, 65536}, "elements", "of a token's row; of merge 0"},
      F<Int>{"vocab_size", &S::vocab_size, {0, Int{1} << 24}, "classes", "rows of the weight; of merge 0"},
      F<DType>{"dtype", &S::dtype, {kFloats}, "", "of hidden and weight; f32 on the CPU only"},
      F<DType>{"target_dtype", &S::target_dtype, {kIndices}, "", "of targets"},
      F<LinearCrossEntropyMode>{"mode", &S::mode, {}, "", "what a launch does"},
      F<LossReduction>{"reduction", &S::reduction, {}, "", "of the tokens' losses"},
      F<bool>{"vocab_parallel", &S::vocab_parallel, {}, "", "the weight is a shard of the vocabulary"},
      F<bool>{"has_bias", &S::has_bias, {}, "", "bias[class] is added to the product"},
      F<std::optional<DType>>{"bias_dtype", &S::bias_dtype, {kFloats}, "", "f32 or dtype; unset: dtype"},
      F<bool>{"has_class_weights", &S::has_class_weights, {}, "", "losses are weighted by class"},
      F<bool>{"has_label_smoothing", &S::has_label_smoothing, {}, "", "label_smoothing is used"},
      F<bool>{"has_z_loss", &S::has_z_loss, {}, "", "lse_square_scale * lse^2 is added to losses"},
      F<bool>{"has_soft_cap", &S::has_soft_cap, {}, "", "soft_cap is used"},
      F<bool>{"has_temperature", &S::has_temperature, {}, "", "logits are divided by temperature"},
      F<bool>{"scales_by_probability",
              &S::scales_by_probability,
              {},
              "",
              "a token's loss is multiplied by p(target), taken as a constant"},
      F<UpstreamGradient>{"upstream", &S::upstream, {}, "", "what gradients are multiplied by"},
      F<bool>{"has_entropy_gradient",
              &S::has_entropy_gradient,
              {},
              "",
              "recompute: gradients of entropy_upstream * entropy are added"},
      F<bool>{"store_losses", &S::store_losses, {}, "", "per token; set with reduction none"},
      F<bool>{"store_z_loss", &S::store_z_loss, {}, "", "z-loss apart"},
      F<bool>{"store_lse", &S::store_lse, {}, "", "log of the sum of exp(logits); recompute needs it"},
      F<bool>{"store_target_logits", &S::store_target_logits, {}, "", "logits of the targets"},
      F<bool>{"store_entropy", &S::store_entropy, {}, "", "of the tokens' probabilities"},
      F<bool>{"store_argmax", &S::store_argmax, {}, "", "class of the largest logit"},
      F<bool>{"store_accuracy", &S::store_accuracy, {}, "", "share of tokens whose argmax is the target"},
      F<bool>{"store_d_hidden", &S::store_d_hidden, {}, "", "false: hidden is frozen"},
      F<bool>{"store_d_weight", &S::store_d_weight, {}, "", "false: weight and bias are frozen"},
      F<std::optional<DType>>{
          "d_hidden_dtype", &S::d_hidden_dtype, {kFloats}, "", "dtype or f32; unset: dtype"},
      F<DType>{"d_weight_dtype", &S::d_weight_dtype, {kFloats}, "", "of d_weight and d_bias: f32 or dtype"},
      F<DType>{"accumulator_dtype",
               &S::accumulator_dtype,
               {kFloats},
               "",
               "what chunks' parts of d_weight add up in: f32 or d_weight_dtype"},
      F<bool>{"accumulate_d_weight", &S::accumulate_d_weight, {}, "", "add to what d_weight and d_bias hold"},
      F<Int>{"alignment",
             &S::alignment,
             {0, 16, /*powers_of_two=*/true},
             "bytes",
             "of hidden, weight, their gradients and strides; 0: what packed rows give"}};
};

}  // namespace lathe::codegen
