// attention in double precision, one query row at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace lathe::reference {

/// A query of one head against the keys of its request. Numbers are those within the request.
struct AttentionQuery {
  std::int64_t query = 0;
  std::int64_t query_length = 0;
  std::int64_t kv_length = 0;
  std::vector<double> q;
  double scale = 1;        ///< of q k
  double soft_cap = 0;     ///< 0: none
  double alibi_slope = 0;  ///< logits += slope * (key - query)
  bool has_sink = false;
  double sink = 0;
  bool is_causal = false;
  std::int64_t window_left = -1;                                 ///< -1: none
  std::function<bool(std::int64_t key)> is_visible{};            ///< a custom mask; empty: all are
  std::function<double(double logit, std::int64_t key)> hook{};  ///< after cap and slope; empty: none
};

struct AttentionRow {
  std::vector<double> o;
  /// Sum over the visible keys of weight * |value|: what errors of weights scale with.
  std::vector<double> magnitude;
  double lse = 0;          ///< base 2, the sink included
  double largest_dot = 0;  ///< largest sum of |q k| * scale: what errors of logits scale with
};

/// keys[j] and values[j] are those of key j; only visible ones are looked at.
AttentionRow attention_row(const AttentionQuery& query, const std::vector<std::vector<double>>& keys,
                           const std::vector<std::vector<double>>& values);

/// The merge of partial results, each normalised, with their lse: what attention_row gives for all keys
/// together.
AttentionRow merge_rows(const std::vector<AttentionRow>& parts);

}  // namespace lathe::reference
