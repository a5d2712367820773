// The field list of rope's spec.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <vector>

#include <lathe/rope.h>

#include "codegen/field.h"
#include "codegen/ops/rms_norm_fields.h"
#include "codegen/ops/rope_frequencies_fields.h"

namespace lathe::codegen {

template <>
struct EnumNames<RopePairs> {
  static constexpr std::array<std::string_view, 2> names{"half", "interleaved"};
};
template <>
struct EnumNames<RopePositions> {
  static constexpr std::array<std::string_view, 3> names{"ids", "offset", "ragged"};
};
template <>
struct EnumNames<RopeSections> {
  static constexpr std::array<std::string_view, 2> names{"consecutive", "interleaved"};
};
template <>
struct EnumNames<RopeAppend> {
  static constexpr std::array<std::string_view, 3> names{"none", "slots", "pages"};
};

template <>
struct SpecFields<RopeSpec> {
  using S = RopeSpec;
  template <class T>
  using F = Field<S, T>;
  using Int = std::int64_t;
  using OptionalDType = std::optional<DType>;
  static constexpr std::array kFloats{f32, f16, bf16};
  static constexpr std::array kResults{f32, f16, bf16, e4m3, e5m2};
  static constexpr std::array kIndices{i32, i64};
  static constexpr Int kMostHeads = 4096;
  static constexpr Int kMostElements = 1024;

  static constexpr std::string_view op = "rope";
  static constexpr std::tuple fields{
      F<Int>{"heads", &S::heads, {0, kMostHeads}, "heads", "of q; 0: no q"},
      F<Int>{"kv_heads", &S::kv_heads, {0, kMostHeads}, "heads", "of k and v; 0: no k"},
      F<Int>{"head_dim",
             &S::head_dim,
             {2, kMostElements},
             "elements",
             "of a head of q and k",
             /*required=*/true},
      F<Int>{"rotary_dim",
             &S::rotary_dim,
             {0, kMostElements},
             "elements",
             "how many are rotated, an even number; 0: all behind rotary_offset"},
      F<Int>{"rotary_offset", &S::rotary_offset, {0, kMostElements - 2}, "elements", "where they begin"},
      F<RopePairs>{"pairs", &S::pairs, {}, "", "half: i and i + rotary_dim / 2; interleaved: 2i and 2i + 1"},
      F<DType>{"dtype", &S::dtype, {kFloats}, "", "of q, k and v"},
      F<OptionalDType>{"out_dtype", &S::out_dtype, {kResults}, "", "of q_out and k_out; unset: dtype"},
      F<RopePositions>{"positions", &S::positions, {}, "", "where a token's position comes from"},
      F<DType>{"position_dtype", &S::position_dtype, {kIndices}, "", "of positions, indptr and offsets"},
      F<RopeFrequencies>{"frequencies", &S::frequencies, {}, "", "how fast each pair turns"},
      F<OptionalDType>{"table_dtype",
                       &S::table_dtype,
                       {kFloats},
                       "",
                       "cos and sin are read from tables of it; unset: computed"},
      F<std::vector<Int>>{"sections",
                          &S::sections,
                          {4, {0, kMostElements / 2}},
                          "pairs",
                          "of each position of a token (mRoPE); empty: one position"},
      F<RopeSections>{"section_order", &S::section_order, {}, "", "which position a pair takes"},
      F<bool>{"inverse", &S::inverse, {}, "", "turns back: the backward pass of a rotation"},
      F<bool>{"qk_norm", &S::qk_norm, {}, "", "each head is RMS-normalised first"},
      F<bool>{"norm_has_weight", &S::norm_has_weight, {}, "", "false: x * rstd"},
      F<OptionalDType>{
          "norm_weight_dtype", &S::norm_weight_dtype, {kFloats}, "", "of the norm's weights; unset: dtype"},
      F<double>{"norm_weight_offset", &S::norm_weight_offset, {-1e6, 1e6}, "", "added to the norm's weights"},
      F<Casting>{"norm_casting", &S::norm_casting, {}, "", "where the normalised head is rounded to dtype"},
      F<Int>{"q_nope_dim",
             &S::q_nope_dim,
             {0, 8192},
             "elements",
             "per head of q_nope, which is copied; 0: none"},
      F<Int>{"k_nope_dim",
             &S::k_nope_dim,
             {0, 8192},
             "elements",
             "per head of k_nope, which is copied; 0: none"},
      F<RopeAppend>{
          "append", &S::append, {}, "", "k and v go to pages of a cache: none, by slots, by page table"},
      F<bool>{"store_k", &S::store_k, {}, "", "with append: k_out and k_nope_out are written too"},
      F<Int>{
          "v_dim", &S::v_dim, {0, 8192}, "elements", "with append: per head of v, which is copied; 0: no v"},
      F<Int>{"page_size", &S::page_size, {1, 65536}, "tokens", "with append: entries of a page"},
      F<DType>{"slot_dtype", &S::slot_dtype, {kIndices}, "", "with append: of slots and page tables"},
      F<OptionalDType>{
          "cache_dtype", &S::cache_dtype, {kResults}, "", "with append: of the caches; unset: dtype"},
      F<Int>{"alignment",
             &S::alignment,
             {0, 16, /*powers_of_two=*/true},
             "bytes",
             "of every pointer and stride, at least one element; 0: what packed rows give"}};
};

}  // namespace lathe::codegen
