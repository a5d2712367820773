// Launch arguments of attention_merge. Compiled for the host and, as part of the kernel, for the device: no
// includes but our own, the same layout everywhere.
#pragma once

#include <lathe/args_base.h>

namespace lathe {

/// o = sum_i 2^(lse_i - lse) o_i over the parts of a row, lse = log2 sum_i 2^lse_i: attention over disjoint
/// sets of keys becomes attention over all of them. Parts of lse -infinity weigh nothing; if all are, o = 0
/// and lse = -infinity.
///
/// Shapes: o [tokens, heads, value_dim]; lse [tokens, heads]. Parts of the spec's form: two are [tokens,
/// heads, value_dim] and [tokens, heads] each, in o_parts and o_other, lse_parts and lse_other; stacked ones
/// [tokens, parts, heads, value_dim] and [tokens, parts, heads]; ragged ones [all parts, heads, value_dim]
/// and [all parts, heads], those of token t from indptr[t] up to indptr[t + 1]. All are packed.
///
/// In place: o may be o_parts and lse may be lse_parts where there are two parts.
struct AttentionMergeArgs {
  const void* o_parts = nullptr;
  const float* lse_parts = nullptr;
  const void* o_other = nullptr;        ///< two parts only
  const float* lse_other = nullptr;     ///< two parts only
  const void* indptr = nullptr;         ///< ragged only: [tokens + 1], of the spec's index_dtype
  const unsigned char* mask = nullptr;  ///< of specs that have one: [tokens]; 0: the first part is the result
  void* o = nullptr;
  float* lse = nullptr;  ///< of specs that store it
  Index tokens = 0;      ///< may be 0: nothing is launched
  Index parts = 0;       ///< stacked only
};

}  // namespace lathe
