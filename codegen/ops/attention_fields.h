// The field list of attention's spec.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include <lathe/attention.h>

#include "codegen/field.h"
#include "codegen/ops/rope_frequencies_fields.h"

namespace lathe::codegen {

template <>
struct EnumNames<AttentionPhase> {
  static constexpr std::array<std::string_view, 2> names{"prefill", "decode"};
};
template <>
struct EnumNames<KvStorage> {
  static constexpr std::array<std::string_view, 3> names{"contiguous", "ragged", "paged"};
};
template <>
struct EnumNames<AttentionMask> {
  static constexpr std::array<std::string_view, 3> names{"none", "causal", "custom"};
};
template <>
struct EnumNames<AttentionScale> {
  static constexpr std::array<std::string_view, 3> names{"none", "tensor", "head"};
};

template <>
struct SpecFields<AttentionHooks> {
  using S = AttentionHooks;
  using F = Field<S, std::string>;
  static constexpr Allowed<std::string> kBody{16384, "the body of a C++ function"};

  static constexpr std::tuple fields{
      F{"logits", &S::logits, kBody, "", "float logit -> float: after scale and soft cap"},
      F{"mask", &S::mask, kBody, "", "-> bool: false hides the key"},
      F{"query", &S::query, kBody, "", "float value, int dim -> float: of q"},
      F{"key", &S::key, kBody, "", "float value, int dim -> float: of k"},
      F{"output", &S::output, kBody, "", "float value, int dim -> float: of o, before it is rounded"}};
};

template <>
struct SpecFields<AttentionSpec> {
  using S = AttentionSpec;
  template <class T>
  using F = Field<S, T>;
  using Int = std::int64_t;
  static constexpr std::array kFloats{f16, bf16};
  static constexpr std::array kStored{f16, bf16, e4m3, e5m2};
  static constexpr std::array kIndices{i32, i64};

  static constexpr std::string_view op = "attention";
  static constexpr std::tuple fields{
      F<Int>{"query_heads", &S::query_heads, {1, 1024}, "heads", "a multiple of kv_heads", /*required=*/true},
      F<Int>{"kv_heads", &S::kv_heads, {1, 1024}, "heads", "of k and v", /*required=*/true},
      F<Int>{"head_dim",
             &S::head_dim,
             {32, 576},
             "elements",
             "of q and k: a multiple of 8 up to 256, or 576",
             /*required=*/true},
      F<Int>{"value_dim",
             &S::value_dim,
             {0, 512},
             "elements",
             "of v and o: a multiple of 8 from 32 to 256, or 512; 0: head_dim"},
      F<Int>{"rest_dim",
             &S::rest_dim,
             {0, 128},
             "elements",
             "of head_dim, how many stand in q_rest and k_rest (64 for MLA)"},
      F<bool>{"values_are_keys", &S::values_are_keys, {}, "", "v is the first value_dim elements of k (MLA)"},
      F<DType>{"dtype", &S::dtype, {kFloats}, "", "of q and o"},
      F<std::optional<DType>>{"kv_dtype", &S::kv_dtype, {kStored}, "", "of k and v; unset: dtype"},
      F<AttentionScale>{"kv_scale", &S::kv_scale, {}, "", "what k_scale and v_scale have one of"},
      F<AttentionPhase>{"phase", &S::phase, {}, "", "how the kernel is tiled; any lengths are right in both"},
      F<KvStorage>{"storage", &S::storage, {}, "", "how k and v lie"},
      F<Int>{"page_size", &S::page_size, {0, 65536}, "tokens", "of paged storage"},
      F<DType>{"index_dtype", &S::index_dtype, {kIndices}, "", "of page_indices"},
      F<AttentionMask>{"mask", &S::mask, {}, "", "causal is aligned to the last query and the last key"},
      F<bool>{"has_window", &S::has_window, {}, "", "window_left is used"},
      F<bool>{"has_soft_cap", &S::has_soft_cap, {}, "", "soft_cap is used"},
      F<bool>{"has_alibi", &S::has_alibi, {}, "", "logits += alibi_slopes[head] * (key - query)"},
      F<bool>{"has_sinks", &S::has_sinks, {}, "", "the sums of weights have exp(sinks[head]) added"},
      F<bool>{"store_lse", &S::store_lse, {}, "", "write log2 of the sums of exp(logits)"},
      F<std::optional<RopeFrequencies>>{
          "rope", &S::rope, {}, "", "rotate q and k as they are read, halves of head_dim"},
      F<AttentionHooks>{"hooks", &S::hooks, {}, "", "functions that the kernel calls"},
      F<Int>{"alignment",
             &S::alignment,
             {0, 16, /*powers_of_two=*/true},
             "bytes",
             "of every pointer and stride; 0: what packed rows give"}};
};

}  // namespace lathe::codegen
