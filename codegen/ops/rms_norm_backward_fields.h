// The field list of rms_norm_backward's spec.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include <lathe/rms_norm_backward.h>

#include "codegen/field.h"
#include "codegen/ops/rms_norm_fields.h"

namespace lathe::codegen {

template <>
struct SpecFields<RmsNormBackwardSpec> {
  using S = RmsNormBackwardSpec;
  template <class T>
  using F = Field<S, T>;
  static constexpr std::array kFloats{f32, f16, bf16};

  static constexpr std::string_view op = "rms_norm_backward";
  static constexpr std::tuple fields{
      F<std::int64_t>{
          "hidden_size", &S::hidden_size, {1, 262144}, "elements", "elements of a row", /*required=*/true},
      F<DType>{"dtype", &S::dtype, {kFloats}, "", "of dy, x, dresidual and dx"},
      F<bool>{"has_weight", &S::has_weight, {}, "", "false: the forward had none, and there is no dw"},
      F<std::optional<DType>>{"weight_dtype", &S::weight_dtype, {kFloats}, "", "of the weight; unset: dtype"},
      F<double>{
          "weight_offset", &S::weight_offset, {-1e6, 1e6}, "", "added to the weight, as in the forward"},
      F<Casting>{"casting", &S::casting, {}, "", "as in the forward: which n its dw is made with"},
      F<std::int64_t>{"heads", &S::heads, {1, 65536}, "rows", "rows per token (QK-norm)"},
      F<bool>{"weight_per_head", &S::weight_per_head, {}, "", "weight and dw are [heads, hidden_size]"},
      F<bool>{"has_dresidual", &S::has_dresidual, {}, "", "a gradient is added to dx"},
      F<bool>{"load_rstd", &S::load_rstd, {}, "", "read the forward's rstd; false: make it again from x"},
      F<bool>{"store_dx", &S::store_dx, {}, "", "false: only dw is wanted"},
      F<bool>{"store_dw", &S::store_dw, {}, "", "false: only dx is wanted"},
      F<std::optional<DType>>{"dw_dtype", &S::dw_dtype, {kFloats}, "", "of dw; unset: the weight's"},
      F<bool>{"accumulate_dw", &S::accumulate_dw, {}, "", "add to what dw holds"},
      F<std::int64_t>{"alignment",
                      &S::alignment,
                      {0, 16, /*powers_of_two=*/true},
                      "bytes",
                      "of every pointer and stride, at least one element; 0: what packed rows give"}};
};

}  // namespace lathe::codegen
