// Launch arguments of linear_cross_entropy. Compiled for the host and, as part of the kernel, for the device:
// no includes but our own, no standard library, the same layout everywhere.
#pragma once

#include <lathe/args_base.h>

namespace lathe {

/// With i a token, c a class, y the token's target, V the number of classes and e the label smoothing:
///
///   z[i, c] = cap(hidden[i] . weight[c] + bias[c]) / temperature     cap(x) = soft_cap tanh(x / soft_cap)
///   lse[i]  = log(sum over c of exp(z[i, c]))
///   p[i, c] = exp(z[i, c] - lse[i])
///   ce[i]   = (1 - e) w[y] (lse[i] - z[i, y]) + e / V * sum over c of w[c] (lse[i] - z[i, c])
///   zl[i]   = lse_square_scale lse[i]^2
///   loss    = sum over i of s[i] ce[i] / A + s[i] zl[i] / B
///   h[i]    = -sum over c of p[i, c] log(p[i, c])
///
/// w are the class weights, 1 without; s is p[i, y] as a constant where the spec scales by probability, else
/// 1. A sum, and none, have A = B = 1; a mean has B = the number of tokens that count, A = the sum of their
/// w[y]. Logits are made from 16-bit inputs by products in fp32, and never rounded but where a gradient's
/// slab holds exponentials of them.
///
/// Tokens with the target ignore_index do not count: their losses and gradients are 0, their argmax is -1,
/// and they cost nothing. Other targets outside of [0, V) do not count either, but make their own loss, and
/// the reduced loss and z-loss, NaN, and set bad_targets. A mean over no tokens is 0 and has no gradient; its
/// accuracy is NaN.
///
/// The gradients are those of upstream * loss, where loss is the reduced one or, with an upstream per token,
/// of the sum of upstream[i] times the token's part in it. An entropy gradient adds those of the sum of
/// entropy_upstream[i] h[i] as they are: neither upstream, nor s, nor a mean's divisors have a part in them.
/// By a token's logits that is -entropy_upstream[i] p[i, c] (z[i, c] - lse[i] + h[i]), 0 where p is 0.
///
/// Modes. forward_only: losses. gradient_in_forward: losses and gradients. recompute: gradients, from the lse
/// that forward_only stored. merge: losses from the partials of all shards. One launch works through chunks
/// of tokens and classes, one after the other in the workspace; everything is queued at once, and nothing
/// waits for the device.
///
/// Vocab-parallel: a shard has vocab_size classes of vocab_total, from vocab_first on. Forward_only gives
/// partials instead of losses; those of all shards, one after the other, give merge's losses and lse; and
/// with that lse each shard recomputes its own gradients. Its d_hidden is a part: the shards' are to be added
/// up.
///
/// Shapes: hidden, d_hidden [tokens, hidden_size]; weight, d_weight [vocab_size, hidden_size]; bias, d_bias
/// [vocab_size]; targets and all that is per token [tokens]; class_weights [vocab_total]; partials [shards,
/// fields, tokens]. Strides count elements; the last dimension is contiguous; 0 means tightly packed.
///
/// The same inputs give the same bits, on the same device; on the CPU on any number of threads. Nothing may
/// overlap what is written.
struct LinearCrossEntropyArgs {
  const void* hidden = nullptr;
  const void* weight = nullptr;
  const void* bias = nullptr;               ///< when the spec has it
  const void* targets = nullptr;            ///< numbers of classes, of all shards'
  const float* class_weights = nullptr;     ///< when the spec has them
  const float* upstream = nullptr;          ///< of gradients, when the spec has it: one, or one per token
  const float* lse_in = nullptr;            ///< recompute: what the forward stored
  const float* target_logits_in = nullptr;  ///< recompute that scales by probability: likewise
  const float* entropy_in = nullptr;        ///< recompute with an entropy gradient: likewise
  /// Then, too: the gradient of the caller's total by each token's entropy; of tokens that do not count it is
  /// not read.
  const float* entropy_upstream = nullptr;

  float* loss = nullptr;           ///< one, unless the reduction is none
  float* losses = nullptr;         ///< s[i] (ce[i] + zl[i]), not divided
  float* z_loss = nullptr;         ///< one: the part of z-loss in loss; with reduction none one per token
  float* lse = nullptr;            ///< 0 for tokens that do not count
  float* target_logits = nullptr;  ///< z[i, y], likewise
  float* entropy = nullptr;        ///< h[i], likewise
  Index* argmax = nullptr;         ///< the first of the largest logits' classes
  float* accuracy = nullptr;       ///< one: share of the tokens that count whose argmax is their target
  int* bad_targets = nullptr;      ///< may be null: set to 1 if a target is bad, else left as it is
  /// Of each token: largest z, sum of exp(z - largest), z of its target or 0 if another shard has it; then
  /// those that the spec asks for: the sum of w z (label smoothing), the sum of exp(z - largest)(z - largest)
  /// (entropy), the first largest z's class as a float (argmax or accuracy). All 0 for tokens that do not
  /// count. Written by forward_only, one shard; read by merge.
  float* partials = nullptr;

  void* d_hidden = nullptr;
  void* d_weight = nullptr;
  void* d_bias = nullptr;

  Index tokens = 0;       ///< 0 to 2^31 - 256; 0: a loss of 0, gradients of the weight as for no tokens
  Index vocab_first = 0;  ///< vocab-parallel: number of this shard's first class
  Index vocab_total = 0;  ///< vocab-parallel: classes of all shards, up to 2^24
  Index shards = 1;       ///< merge: how many partials
  Index hidden_stride = 0;
  Index weight_stride = 0;
  Index d_hidden_stride = 0;
  Index d_weight_stride = 0;
  Index ignore_index = -100;   ///< may be the number of a class
  float label_smoothing = 0;   ///< 0 to 1, when the spec has it
  float lse_square_scale = 0;  ///< when the spec has z-loss: >= 0
  float soft_cap = 0;          ///< when the spec has it: > 0
  float temperature = 1;       ///< when the spec has it: > 0

  void* workspace = nullptr;  ///< Kernel::workspace_bytes() of device memory, a multiple of 256 bytes
  Index workspace_bytes = 0;
  /// What the workspace may take; 0: enough to be fast, of recompute on GPUs 64 MiB, or more for many tokens.
  /// Smaller: more and smaller chunks. A recompute whose d_weight has 16 bits and is summed up in f32 makes
  /// its logits twice, once for each gradient, where that is faster than what chunks there is room for beside
  /// the sums of either gradient.
  Index workspace_budget = 0;

  // Set by the launch. Tokens that count come first: row r of them is token row_tokens[r]; those that do not
  // come last.
  Index sweep = 0;        ///< this round's products are for: 0 both gradients, 1 d_weight, 2 d_hidden
  Index first_row = 0;    ///< of this round's chunk
  Index chunk_rows = 0;   ///< of any round; the last one may have fewer
  Index first_class = 0;  ///< likewise, in this shard
  Index chunk_classes = 0;
  Index parts = 0;        ///< that the classes are divided into where maxima and sums are concerned
  Index row_stride = 0;   ///< elements between the planes of row_values; those of part_values: chunk_rows
  Index slab_stride = 0;  ///< elements between the rows of the slab
  void* totals = nullptr;
  int* row_tokens = nullptr;
  float* row_values = nullptr;
  float* part_values = nullptr;
  float* packed_hidden = nullptr;  ///< on the CPU: hidden of the chunk's rows, as its products take it
  void* slab = nullptr;            ///< [chunk_rows, chunk_classes]: exponentials, then gradients, of logits
  float* d_hidden_sums = nullptr;  ///< [chunk_rows, hidden_size]; null: one chunk has all classes
  /// [vocab_size, hidden_size], then [vocab_size] for a bias; null: sums are in d_weight and d_bias.
  float* d_weight_sums = nullptr;
};

}  // namespace lathe
