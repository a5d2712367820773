#include "tests/reference/linear_cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace lathe::reference {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// A token's logits, and how they follow what the matrix product gave.
struct Logits {
  std::vector<double> value;
  std::vector<double> slope;
};

Logits logits_of(const LinearCrossEntropy& p, std::size_t token) {
  Logits logits;
  for (std::size_t c = 0; c < p.weight.size(); ++c) {
    double value = dot(p.hidden[token], p.weight[c]) + (p.bias.empty() ? 0 : p.bias[c]);
    double slope = 1;
    if (p.soft_cap > 0) {
      const double tanh = std::tanh(value / p.soft_cap);
      value = p.soft_cap * tanh;
      slope = 1 - tanh * tanh;
    }
    logits.value.push_back(value / p.temperature);
    logits.slope.push_back(slope / p.temperature);
  }
  return logits;
}

double lse_of(const std::vector<double>& logits) {
  const double max = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const double logit : logits) sum += std::exp(logit - max);
  return max + std::log(sum);
}

double weight_of(const LinearCrossEntropy& p, std::size_t c) {
  return p.class_weights.empty() ? 1 : p.class_weights[c];
}

struct Divisors {
  std::size_t count = 0;  ///< tokens that count: neither ignored nor beyond the vocabulary
  double loss = 1;
  double z_loss = 1;
};

bool is_class(const LinearCrossEntropy& p, std::int64_t target) {
  return target >= 0 && target < static_cast<std::int64_t>(p.weight.size());
}

Divisors divisors_of(const LinearCrossEntropy& p) {
  Divisors divisors;
  double weights = 0;
  for (const std::int64_t target : p.targets) {
    if (target == p.ignore_index || !is_class(p, target)) continue;
    ++divisors.count;
    weights += weight_of(p, static_cast<std::size_t>(target));
  }
  if (p.reduction != Reduction::mean || divisors.count == 0) return divisors;
  divisors.loss = p.class_weights.empty() ? static_cast<double>(divisors.count) : weights;
  divisors.z_loss = static_cast<double>(divisors.count);
  return divisors;
}

void take_roots(std::vector<double>& squares) {
  for (double& square : squares) square = std::sqrt(square);
}

struct LogitGradient {
  double value;
  double magnitude;  ///< as result.d_bias_magnitude counts it
};

/// That of a token's entropy, times its upstream, by a logit.
LogitGradient entropy_gradient(double upstream, double entropy, double log_probability) {
  const double probability = std::exp(log_probability);
  if (probability == 0) return {0, 0};
  const double distance = log_probability + entropy;
  return {-upstream * probability * distance, std::fabs(upstream) * probability * (std::fabs(distance) + 1)};
}

/// One token's part in everything.
void add_token(const LinearCrossEntropy& p, std::size_t token, const Divisors& divisors,
               LinearCrossEntropyResult& result) {
  const Logits logits = logits_of(p, token);
  const std::vector<double>& z = logits.value;
  const auto target = static_cast<std::size_t>(p.targets[token]);
  const std::size_t classes = z.size();
  const double lse = lse_of(z);
  double all_weights = 0, smoothed = 0, entropy = lse;
  for (std::size_t c = 0; c < classes; ++c) {
    all_weights += weight_of(p, c);
    if (p.label_smoothing > 0) smoothed += weight_of(p, c) * (lse - z[c]);
    const double probability = std::exp(z[c] - lse);
    if (probability > 0) entropy -= probability * z[c];
  }
  const double scale = p.scales_by_probability ? std::exp(z[target] - lse) : 1;
  const double smoothing = p.label_smoothing / static_cast<double>(classes);
  const double main = (1 - p.label_smoothing) * weight_of(p, target);
  const double z_loss = scale * p.lse_square_scale * lse * lse;
  const double entropy_loss = scale * (main * (lse - z[target]) + smoothing * smoothed);
  result.losses[token] = entropy_loss + z_loss;
  result.z_losses[token] = z_loss;
  result.lse[token] = lse;
  result.entropy[token] = entropy;
  result.target_logits[token] = z[target];
  result.argmax[token] = std::max_element(z.begin(), z.end()) - z.begin();
  if (p.reduction != Reduction::none) {
    result.loss += entropy_loss / divisors.loss + z_loss / divisors.z_loss;
    result.z_loss += z_loss / divisors.z_loss;
  }
  const double upstream = p.upstream.size() == 1 ? p.upstream[0] : p.upstream[token];
  for (std::size_t c = 0; c < classes; ++c) {
    const double probability = std::exp(z[c] - lse);
    const double is_target = c == target ? 1 : 0;
    const double of_loss =
        main * (probability - is_target) + smoothing * (all_weights * probability - weight_of(p, c));
    const double of_z_loss = 2 * p.lse_square_scale * lse * probability;
    const double factor = upstream * scale * logits.slope[c];
    double d = factor * (of_loss / divisors.loss + of_z_loss / divisors.z_loss);
    double magnitude = std::fabs(factor) * ((main * std::fabs(probability - is_target) +
                                             smoothing * (all_weights * probability + weight_of(p, c))) /
                                                divisors.loss +
                                            of_z_loss / divisors.z_loss);
    if (!p.entropy_upstream.empty()) {
      const LogitGradient more = entropy_gradient(p.entropy_upstream[token], entropy, z[c] - lse);
      d += logits.slope[c] * more.value;
      magnitude += logits.slope[c] * more.magnitude;
    }
    result.d_bias[c] += d;
    result.d_bias_magnitude[c] += magnitude * magnitude;
    for (std::size_t i = 0; i < p.hidden[token].size(); ++i) {
      result.d_hidden[token][i] += d * p.weight[c][i];
      result.d_hidden_magnitude[token][i] += std::pow(magnitude * p.weight[c][i], 2);
      result.d_weight[c][i] += d * p.hidden[token][i];
      result.d_weight_magnitude[c][i] += std::pow(magnitude * p.hidden[token][i], 2);
    }
  }
}

}  // namespace

LinearCrossEntropyResult linear_cross_entropy(const LinearCrossEntropy& p) {
  const std::size_t tokens = p.hidden.size(), classes = p.weight.size();
  const std::size_t hidden = p.weight.front().size();
  LinearCrossEntropyResult result;
  for (auto* list : {&result.losses, &result.z_losses, &result.lse, &result.entropy, &result.target_logits})
    list->assign(tokens, 0);
  result.argmax.assign(tokens, -1);
  for (auto* matrix : {&result.d_hidden, &result.d_hidden_magnitude})
    matrix->assign(tokens, std::vector<double>(hidden));
  for (auto* matrix : {&result.d_weight, &result.d_weight_magnitude})
    matrix->assign(classes, std::vector<double>(hidden));
  result.d_bias.assign(classes, 0);
  result.d_bias_magnitude.assign(classes, 0);

  const Divisors divisors = divisors_of(p);
  std::size_t right = 0;
  for (std::size_t token = 0; token < tokens; ++token) {
    if (p.targets[token] == p.ignore_index) continue;
    if (!is_class(p, p.targets[token])) {
      result.losses[token] = kNaN;
      if (p.reduction != Reduction::none) result.loss = kNaN;
      continue;
    }
    add_token(p, token, divisors, result);
    right += result.argmax[token] == p.targets[token] ? 1 : 0;
  }
  for (auto* matrix : {&result.d_hidden_magnitude, &result.d_weight_magnitude}) {
    for (std::vector<double>& row : *matrix) take_roots(row);
  }
  take_roots(result.d_bias_magnitude);
  result.accuracy =
      divisors.count == 0 ? kNaN : static_cast<double>(right) / static_cast<double>(divisors.count);
  return result;
}

double merged_lse(const std::vector<VocabularyPartial>& partials) {
  double max = -std::numeric_limits<double>::infinity();
  for (const VocabularyPartial& partial : partials) max = std::max(max, partial.max);
  double sum = 0;
  for (const VocabularyPartial& partial : partials) sum += partial.sum * std::exp(partial.max - max);
  return max + std::log(sum);
}

}  // namespace lathe::reference
