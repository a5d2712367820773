// The field list of attention_merge's spec.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include <lathe/attention_merge.h>

#include "codegen/field.h"

namespace lathe::codegen {

template <>
struct EnumNames<MergeForm> {
  static constexpr std::array<std::string_view, 3> names{"two", "stacked", "ragged"};
};

template <>
struct SpecFields<AttentionMergeSpec> {
  using S = AttentionMergeSpec;
  template <class T>
  using F = Field<S, T>;
  static constexpr std::array kFloats{f32, f16, bf16};
  static constexpr std::array kIndices{i32, i64};

  static constexpr std::string_view op = "attention_merge";
  static constexpr std::tuple fields{
      F<std::int64_t>{"heads", &S::heads, {1, 1024}, "heads", "query heads", /*required=*/true},
      F<std::int64_t>{"value_dim", &S::value_dim, {1, 1024}, "elements", "of o per head", /*required=*/true},
      F<MergeForm>{"form", &S::form, {}, "", "how the parts of a row lie"},
      F<DType>{"dtype", &S::dtype, {kFloats}, "", "of o"},
      F<std::optional<DType>>{"part_dtype", &S::part_dtype, {kFloats}, "", "of the parts; unset: dtype"},
      F<DType>{"index_dtype", &S::index_dtype, {kIndices}, "", "of indptr"},
      F<bool>{"has_mask", &S::has_mask, {}, "", "two parts: tokens whose second part does not count"},
      F<bool>{"store_lse", &S::store_lse, {}, "", "write log2 of the sum of 2^lse"}};
};

}  // namespace lathe::codegen
