#include "tests/reference/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace lathe::reference {

namespace {

constexpr double kNothing = -std::numeric_limits<double>::infinity();

bool is_visible(const AttentionQuery& query, std::int64_t key) {
  // Bottom-right: the last query stands at the last key.
  const std::int64_t place = query.query + query.kv_length - query.query_length;
  if (query.is_causal && key > place) return false;
  if (query.window_left >= 0 && key < place - query.window_left) return false;
  return !query.is_visible || query.is_visible(key);
}

double logit_of(const AttentionQuery& query, std::int64_t key, double dot) {
  double logit = dot * query.scale;
  if (query.soft_cap > 0) logit = query.soft_cap * std::tanh(logit / query.soft_cap);
  logit += query.alibi_slope * static_cast<double>(key - query.query);
  return query.hook ? query.hook(logit, key) : logit;
}

}  // namespace

AttentionRow attention_row(const AttentionQuery& query, const std::vector<std::vector<double>>& keys,
                           const std::vector<std::vector<double>>& values) {
  const std::size_t dim = values.empty() ? 0 : values.front().size();
  AttentionRow row{.o = std::vector<double>(dim), .magnitude = std::vector<double>(dim)};
  std::vector<double> logits(static_cast<std::size_t>(query.kv_length), kNothing);
  double largest = query.has_sink ? query.sink : kNothing;
  for (std::size_t j = 0; j < logits.size(); ++j) {
    if (!is_visible(query, static_cast<std::int64_t>(j))) continue;
    double dot = 0;
    double size = 0;
    for (std::size_t d = 0; d < query.q.size(); ++d) {
      dot += query.q[d] * keys[j][d];
      size += std::abs(query.q[d] * keys[j][d]);
    }
    logits[j] = logit_of(query, static_cast<std::int64_t>(j), dot);
    row.largest_dot = std::max(row.largest_dot, size * std::abs(query.scale));
    largest = std::max(largest, logits[j]);
  }
  if (largest == kNothing) {
    row.lse = kNothing;
    return row;
  }
  double sum = query.has_sink ? std::exp(query.sink - largest) : 0;
  for (std::size_t j = 0; j < logits.size(); ++j) {
    if (logits[j] == kNothing) continue;
    const double weight = std::exp(logits[j] - largest);
    sum += weight;
    for (std::size_t d = 0; d < dim; ++d) {
      row.o[d] += weight * values[j][d];
      row.magnitude[d] += weight * std::abs(values[j][d]);
    }
  }
  for (std::size_t d = 0; d < dim; ++d) {
    row.o[d] /= sum;
    row.magnitude[d] /= sum;
  }
  row.lse = (largest + std::log(sum)) * std::numbers::log2e;
  return row;
}

AttentionRow merge_rows(const std::vector<AttentionRow>& parts) {
  AttentionRow merged{.o = std::vector<double>(parts.front().o.size()),
                      .magnitude = std::vector<double>(parts.front().o.size()),
                      .lse = kNothing};
  for (const AttentionRow& part : parts) merged.lse = std::max(merged.lse, part.lse);
  if (merged.lse == kNothing) return merged;
  double sum = 0;
  for (const AttentionRow& part : parts) {
    const double weight = std::exp2(part.lse - merged.lse);
    sum += weight;
    merged.largest_dot = std::max(merged.largest_dot, part.largest_dot);
    for (std::size_t d = 0; d < merged.o.size(); ++d) {
      merged.o[d] += weight * part.o[d];
      merged.magnitude[d] += weight * part.magnitude[d];
    }
  }
  for (std::size_t d = 0; d < merged.o.size(); ++d) {
    merged.o[d] /= sum;
    merged.magnitude[d] /= sum;
  }
  merged.lse += std::log2(sum);
  return merged;
}

}  // namespace lathe::reference
