// The spec of attention.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <lathe/attention_args.h>
#include <lathe/dtype.h>
#include <lathe/rope_frequencies.h>

namespace lathe {

/// How a kernel is tiled. Any lengths are right in either phase; this is about speed.
enum class AttentionPhase : std::uint8_t {
  prefill,  ///< many queries per request: blocks of query rows
  decode,   ///< one or a few: the heads of a group fill the rows, and keys are split over blocks
};

enum class KvStorage : std::uint8_t {
  contiguous,  ///< requests one after the other, a stride apart
  ragged,      ///< all requests' tokens in one row, each where the last one ends
  paged,       ///< pages of page_size tokens, listed per request
};

enum class AttentionMask : std::uint8_t {
  none,
  causal,  ///< bottom-right: key j is seen by query i iff j <= i + kv_length - query_length
  custom,  ///< one bit per query and key, packed, lowest bit first
};

/// What k_scale and v_scale have one of.
enum class AttentionScale : std::uint8_t { none, tensor, head };

/// Text of functions that a kernel calls. Each is the body of a function in C++, for GPU and CPU alike;
/// empty: nothing. All see `at` (request, query, key, query_head, kv_head, query_length, kv_length; ints) and
/// `data` (AttentionArgs::hook_data), and may call expf, logf, sqrtf and the like.
struct AttentionHooks {
  std::string logits{};  ///< float logit -> float: after scale and soft cap, before the mask
  std::string mask{};    ///< -> bool: false hides the key, besides what the spec's mask hides
  std::string query{};   ///< float value, int dim -> float: of q, before the product; GPUs clamp it to dtype
  std::string key{};     ///< float value, int dim -> float: of k, after its scale; GPUs clamp it to dtype
  std::string output{};  ///< float value, int dim -> float: of o, before it is rounded

  friend bool operator==(const AttentionHooks&, const AttentionHooks&) = default;
};

/// Attention with an online softmax. See AttentionArgs for the tensors, AttentionPlan for what a launch needs
/// besides them. On a CPU a launch takes up to 768 KiB of the stack of each thread in it, the caller's too.
struct AttentionSpec {
  using Args = AttentionArgs;

  std::int64_t query_heads = 0;  ///< 1 to 1024, a multiple of kv_heads
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;     ///< of q and k: a multiple of 8 from 32 to 256, or 576
  std::int64_t value_dim = 0;    ///< of v and o: likewise, or 512; 0: head_dim
  std::int64_t rest_dim = 0;     ///< of head_dim, how many elements stand in q_rest and k_rest (64 for MLA)
  bool values_are_keys = false;  ///< v is the first value_dim elements of k (MLA, absorbed)
  DType dtype = bf16;            ///< of q and o: f16 or bf16
  std::optional<DType> kv_dtype{};  ///< of k and v: dtype, e4m3 or e5m2; unset: dtype
  AttentionScale kv_scale = AttentionScale::none;
  AttentionPhase phase = AttentionPhase::prefill;
  KvStorage storage = KvStorage::ragged;
  std::int64_t page_size = 0;  ///< tokens, 1 to 65536; of paged storage only
  DType index_dtype = i32;     ///< of page_indices: i32 or i64
  AttentionMask mask = AttentionMask::none;
  bool has_window = false;    ///< window_left is used
  bool has_soft_cap = false;  ///< soft_cap is used
  bool has_alibi = false;     ///< logits += slope * (key - query), the numbers within the request
  bool has_sinks = false;     ///< the sums of weights have exp(sink) added
  bool store_lse = false;
  std::optional<RopeFrequencies> rope{};  ///< q and k are rotated as they are read, halves of head_dim
  AttentionHooks hooks{};
  /// Bytes that every pointer, and every stride times the element's size, is a multiple of: 2 (1 for fp8) to
  /// 16. 0: 16 where head_dim and value_dim allow it, else the most that tightly packed rows have.
  std::int64_t alignment = 0;

  friend bool operator==(const AttentionSpec&, const AttentionSpec&) = default;
};

}  // namespace lathe
