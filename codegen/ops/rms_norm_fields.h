// The field list of rms_norm's spec.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include <lathe/rms_norm.h>

#include "codegen/field.h"

namespace lathe::codegen {

template <>
struct EnumNames<Casting> {
  static constexpr std::array<std::string_view, 3> names{"llama", "gemma", "none"};
};

template <>
struct EnumNames<Residual> {
  static constexpr std::array<std::string_view, 3> names{"none", "round_then_norm", "norm_then_round"};
};

template <>
struct EnumNames<OutputScale> {
  static constexpr std::array<std::string_view, 5> names{"none", "given", "per_tensor", "per_row",
                                                         "per_block"};
};

template <>
struct SpecFields<RmsNormSpec> {
  using S = RmsNormSpec;
  template <class T>
  using F = Field<S, T>;
  static constexpr std::array kFloats{f32, f16, bf16};
  static constexpr std::array kOutputs{f32, f16, bf16, e4m3, e5m2};

  static constexpr std::string_view op = "rms_norm";
  static constexpr std::tuple fields{
      F<std::int64_t>{
          "hidden_size", &S::hidden_size, {1, 262144}, "elements", "elements of a row", /*required=*/true},
      F<DType>{"dtype", &S::dtype, {kFloats}, "", "of x, the residuals and y"},
      F<bool>{"has_weight", &S::has_weight, {}, "", "false: y = x * rstd"},
      F<std::optional<DType>>{"weight_dtype", &S::weight_dtype, {kFloats}, "", "of the weight; unset: dtype"},
      // Far beyond any weight; a larger offset would drown the weight's digits in fp32.
      F<double>{
          "weight_offset", &S::weight_offset, {-1e6, 1e6}, "", "added to the weight: 1 for Gemma 1 to 3"},
      F<Casting>{"casting", &S::casting, {}, "", "where the normalised row is rounded to dtype"},
      F<Residual>{"residual", &S::residual, {}, "", "fused residual add, and which sum is normalised"},
      F<bool>{"store_rstd", &S::store_rstd, {}, "", "write 1 / sqrt(mean + epsilon)"},
      // As many as keep every product of counts in an int64; models have 256 at most.
      F<std::int64_t>{"heads", &S::heads, {1, 65536}, "rows", "rows per token (QK-norm)"},
      F<bool>{"weight_per_head", &S::weight_per_head, {}, "", "the weight is [heads, hidden_size]"},
      F<std::optional<DType>>{"y_dtype", &S::y_dtype, {kOutputs}, "", "of y; unset: dtype"},
      F<OutputScale>{"y_scale", &S::y_scale, {}, "", "what an fp8 y is divided by; per_block: 128 elements"},
      F<bool>{"round_to_dtype",
              &S::round_to_dtype,
              {},
              "",
              "round y to dtype before it is scaled and rounded to y_dtype"},
      F<std::int64_t>{"alignment",
                      &S::alignment,
                      {0, 16, /*powers_of_two=*/true},
                      "bytes",
                      "of every pointer and stride, at least one element; 0: what packed rows give"}};
};

}  // namespace lathe::codegen
