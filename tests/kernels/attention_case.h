// One launch of attention, planned, and compared with the reference.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <lathe/attention_plan.h>
#include <lathe/runtime.h>

namespace lathe::tests {

struct AttentionLengths {
  std::int64_t queries = 1;
  std::int64_t keys = 1;
};

struct AttentionCase {
  AttentionSpec spec;
  std::vector<AttentionLengths> requests{{1, 1}};
  AttentionPlanOptions plan{};
  bool heads_outside =
      false;           ///< of k and v: [heads, tokens, dim] in a page (HND) instead of [tokens, heads, dim]
  bool fused = false;  ///< v lies in the same tensor as k, a page, request or token further
  std::int64_t padding = 0;        ///< elements between heads and between tokens, more in each tensor by 16
  bool is_barely_aligned = false;  ///< addresses are odd multiples of the spec's alignment
  std::int64_t window_left = 0;
  float soft_cap = 0;
  float softmax_scale = 0;
  // Standard deviations and means of the elements.
  double query_size = 1;
  double query_mean = 0;
  double key_size = 1;
  double key_mean = 0;
  double value_size = 1;
  double value_mean = 0;
  bool exact = false;  ///< o is the reference's, rounded
  /// Which keys a custom mask lets queries see; empty: drawn at random.
  std::function<bool(std::int64_t query, std::int64_t key)> custom_mask{};
  std::vector<float> hook_data{};
  // What the spec's hooks compute.
  std::function<double(double logit, std::int64_t key)> logits_hook{};
  std::function<bool(std::int64_t query, std::int64_t key)> mask_hook{};
  std::function<double(double value, int dim, std::int64_t query)> query_hook{};
  std::function<double(double value, int dim, std::int64_t key)> key_hook{};
  std::function<double(double value, int dim, std::int64_t head)> output_hook{};
  std::uint32_t seed = 1;
};

/// Compiles, plans, launches and compares o and lse with the reference. Whatever no request owns, between
/// tokens and behind the last key of a page, is NaN in the inputs; outputs are NaN beforehand. Empty: all as
/// it should be; else the first difference.
std::string run_attention(Runtime& runtime, const AttentionCase& test);

/// Launches as a captured graph would, with the very same arguments for several lengths of the keys, each at
/// most that of the case: only the plan's bytes change. Plans have the room that the case's lengths ask for
/// as limits. Of each list of lengths o and lse are compared.
std::string replay_attention(Runtime& runtime, const AttentionCase& test,
                             const std::vector<std::vector<std::int64_t>>& kv_lengths);

}  // namespace lathe::tests
