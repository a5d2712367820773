// Launch arguments of attention, and the work list that a plan makes for it. Compiled for the host and, as
// part of the kernel, for the device: no includes but our own, the same layout everywhere.
#pragma once

#include <lathe/args_base.h>

namespace lathe {

/// One sequence of the batch.
struct AttentionRequest {
  Index query_begin = 0;  ///< its first token, of q and o
  /// Where its keys begin. Contiguous: the request's number; ragged: a token; paged: a place in page_indices.
  Index kv_begin = 0;
  Index mask_begin = 0;  ///< custom masks: its first byte in mask; rows are packed without gaps, bit by bit
  int query_length = 0;
  int kv_length = 0;
};

/// What one block does, for each key-value head: some rows of a request against some of its keys. A row is a
/// query token and one of the query heads that share the key-value head; heads vary fastest.
struct AttentionWork {
  int request = -1;  ///< -1: nothing, a place that a later plan may use
  int row_begin = 0;
  int kv_begin = 0;
  int kv_end = 0;
  int slot = -1;  ///< of the partial result; -1: the result is final
};

/// Partial results of the same rows, in the order in which they are added.
struct AttentionMerge {
  int request = -1;  ///< -1: nothing
  int row_begin = 0;
  int first_slot = 0;
  int slots = 0;
};

/// o = softmax(scale * q k^T, masked) v per query head; query head h uses key-value head h / (query_heads /
/// kv_heads). Logits are made in this order: product, scale, soft cap, ALiBi, hook, mask. A sink is one more
/// logit, of a value 0; lse includes it. A row that sees no key gives o = 0, and without a sink lse =
/// -infinity.
///
/// Shapes: q [tokens, query_heads, head_dim]; o [tokens, query_heads, value_dim]; lse [tokens, query_heads].
/// k and v, of D elements per head: contiguous [requests, kv_length, kv_heads, D]; ragged [kv tokens,
/// kv_heads, D]; paged [pages, page_size, kv_heads, D] in any order of the axes, which the strides say.
/// Strides count elements; the last dimension is contiguous; 0 means tightly packed in the order given here.
///
/// Last dimension apart (multi-head latent attention): of head_dim elements the last rest_dim stand in q_rest
/// [tokens, query_heads, rest_dim] and k_rest, whose strides are those of a tensor like k.
struct AttentionArgs {
  const void* q = nullptr;
  const void* q_rest = nullptr;
  const void* k = nullptr;
  const void* k_rest = nullptr;
  const void* v = nullptr;  ///< ignored where values are the keys' first elements
  void* o = nullptr;
  float* lse = nullptr;  ///< log2 of the sum of exp(logits): base 2, as attention_merge wants it

  // From AttentionPlan::apply, device pointers.
  const AttentionRequest* requests = nullptr;
  const AttentionWork* work = nullptr;
  const AttentionMerge* merges = nullptr;
  Index work_items = 0;
  Index merge_items = 0;
  Index slots = 0;            ///< partial results of all requests
  Index tile_rows = 0;        ///< of the kernel that the plan is for
  void* workspace = nullptr;  ///< partial results; may be null when there are none
  Index workspace_bytes = 0;

  const void* page_indices = nullptr;  ///< paged: numbers of pages, of the spec's index_dtype
  const unsigned char* mask =
      nullptr;  ///< custom masks: bit i of a request, lowest first, is row i / kv_length
  const float* alibi_slopes = nullptr;  ///< [query_heads]
  const float* sinks = nullptr;         ///< [query_heads], logits of a key with value 0
  const float* k_scale = nullptr;       ///< k is k_scale * what is stored: one, or [kv_heads]
  const float* v_scale = nullptr;       ///< likewise
  const void* hook_data = nullptr;      ///< handed to the spec's hooks

  Index q_token_stride = 0;
  Index q_head_stride = 0;
  Index q_rest_token_stride = 0;
  Index q_rest_head_stride = 0;
  Index o_token_stride = 0;
  Index o_head_stride = 0;
  Index k_outer_stride = 0;  ///< contiguous: between requests; paged: between pages
  Index k_token_stride = 0;
  Index k_head_stride = 0;
  Index k_rest_outer_stride = 0;
  Index k_rest_token_stride = 0;
  Index v_outer_stride = 0;
  Index v_token_stride = 0;
  Index v_head_stride = 0;

  float softmax_scale = 0.0f;  ///< of the logits; 0: 1 / sqrt(head_dim)
  float soft_cap = 0.0f;       ///< logits become soft_cap * tanh(logits / soft_cap); of specs that have one
  /// From AttentionPlan::apply, of specs with a window: key j is seen by query i only if j >= i + kv_length -
  /// query_length - window_left.
  Index window_left = 0;
};

}  // namespace lathe
