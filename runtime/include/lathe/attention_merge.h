// The spec of attention_merge.
#pragma once

#include <cstdint>
#include <optional>

#include <lathe/attention_merge_args.h>
#include <lathe/dtype.h>

namespace lathe {

/// How the partial results of a row lie.
enum class MergeForm : std::uint8_t {
  two,      ///< in two tensors
  stacked,  ///< as many for every token, one after the other
  ragged,   ///< any number per token, listed
};

/// Merges partial results of attention: of splits, of shared prefixes (cascades), of devices. See
/// AttentionMergeArgs for the tensors.
struct AttentionMergeSpec {
  using Args = AttentionMergeArgs;

  std::int64_t heads = 0;      ///< query heads, 1 to 1024
  std::int64_t value_dim = 0;  ///< elements per head, 1 to 1024
  MergeForm form = MergeForm::two;
  DType dtype = bf16;                 ///< of o: f32, f16 or bf16
  std::optional<DType> part_dtype{};  ///< of the parts; unset: dtype
  DType index_dtype = i32;            ///< of indptr: i32 or i64
  bool has_mask = false;              ///< two parts only: tokens whose second part does not count
  bool store_lse = true;

  friend bool operator==(const AttentionMergeSpec&, const AttentionMergeSpec&) = default;
};

}  // namespace lathe
