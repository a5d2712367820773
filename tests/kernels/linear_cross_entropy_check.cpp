#include "tests/kernels/linear_cross_entropy_check.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <string_view>

#include <fmt/format.h>

#include "tests/reference/bounds.h"

namespace lathe::tests {

namespace {

/// Relative errors of exponentials, logarithms and sums in fp32.
constexpr double kFloats = 3e-6;

std::string differs(std::string_view name, std::size_t at, double value, double expected, double tolerance) {
  if (std::isnan(expected) ? std::isnan(value) : std::fabs(value - expected) <= tolerance) return {};
  return fmt::format("{}[{}] is {}, expected {} +- {}", name, at, value, expected, tolerance);
}

/// What a logit or a log-sum-exp may be off.
double logit_tolerance(const Checked& checked, double value) {
  return checked.problem.logit_error + kFloats * (1 + std::fabs(value));
}

/// What a token's loss may be off.
double loss_tolerance(const Checked& checked, std::size_t token) {
  const reference::LinearCrossEntropyResult& expected = checked.problem.expected;
  const double lse = expected.lse[token];
  // A token whose target is all but certain depends on the others' logits as little as they weigh.
  const double others = std::min(1.0, -std::expm1(expected.target_logits[token] - lse) +
                                          static_cast<double>(checked.spec.has_label_smoothing));
  const double of_logits =
      others * (logit_tolerance(checked, lse) + logit_tolerance(checked, expected.target_logits[token])) +
      2e-7;
  // Class weights are below 2; z-loss grows as 2 lse.
  double slope = 2;
  if (checked.spec.has_z_loss)
    slope += 2 * static_cast<double>(checked.test.lse_square_scale) * std::fabs(lse);
  if (checked.spec.scales_by_probability) slope += std::fabs(expected.losses[token]);
  return slope * of_logits + kFloats * std::fabs(expected.losses[token]);
}

std::string check_tokens(std::string_view name, const std::vector<float>& stored,
                         const std::vector<double>& expected, const std::vector<double>& tolerances) {
  for (std::size_t i = 0; i < stored.size(); ++i) {
    std::string wrong = differs(name, i, static_cast<double>(stored[i]), expected[i], tolerances[i]);
    if (!wrong.empty()) return wrong;
  }
  return {};
}

std::string check_per_token(const Checked& checked, const StoredLosses& stored) {
  const auto& expected = checked.problem.expected;
  std::vector<double> of_loss, of_lse, of_logit, of_entropy;
  for (std::size_t i = 0; i < expected.losses.size(); ++i) {
    of_loss.push_back(loss_tolerance(checked, i));
    of_lse.push_back(logit_tolerance(checked, expected.lse[i]));
    of_logit.push_back(logit_tolerance(checked, expected.target_logits[i]));
    of_entropy.push_back(8 * of_lse.back());
  }
  std::string wrong = check_tokens("losses", stored.losses, expected.losses, of_loss);
  if (wrong.empty()) wrong = check_tokens("lse", stored.lse, expected.lse, of_lse);
  if (wrong.empty())
    wrong = check_tokens("target_logits", stored.target_logits, expected.target_logits, of_logit);
  if (wrong.empty()) wrong = check_tokens("entropy", stored.entropy, expected.entropy, of_entropy);
  if (wrong.empty() && checked.spec.reduction == LossReduction::none)
    wrong = check_tokens("z_loss", stored.z_loss, expected.z_losses, of_loss);
  return wrong;
}

/// The largest logit's class, or one whose logit is as large but for rounding.
std::string check_argmax(const Checked& checked, const std::vector<Index>& stored) {
  const auto& expected = checked.problem.expected;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    if (stored[i] == expected.argmax[i]) continue;
    const auto token = static_cast<Index>(i);
    const bool is_class =
        stored[i] >= 0 && stored[i] < checked.problem.weight.rows && expected.argmax[i] >= 0;
    if (is_class) {
      const double largest = checked.problem.logit(token, expected.argmax[i]);
      const double logit = checked.problem.logit(token, stored[i]);
      if (largest - logit <= 2 * logit_tolerance(checked, largest)) continue;
    }
    return fmt::format("argmax[{}] is {}, expected {}", i, stored[i], expected.argmax[i]);
  }
  return {};
}

/// Those of all tokens, divided as a mean is, added up.
double total_tolerance(const Checked& checked) {
  const auto& expected = checked.problem.expected;
  double sum = 0, magnitude = 0;
  for (std::size_t i = 0; i < expected.losses.size(); ++i) {
    if (std::isnan(expected.losses[i])) continue;
    sum += loss_tolerance(checked, i);
    magnitude += std::fabs(expected.losses[i]);
  }
  if (checked.spec.reduction != LossReduction::mean || magnitude == 0) return sum + kFloats * magnitude;
  return sum / magnitude * std::fabs(expected.loss) + kFloats * std::fabs(expected.loss);
}

/// What a gradient may be off. `root` is the root of the squares of its terms, each of which rounds twice to
/// dtype: some ten times the standard deviation of that. `other` is the sum of the other factors' magnitudes.
struct Rounding {
  DType dtype;
  double logit_error;
  double scale;  ///< unit of gradients of logits as they are stored, or more

  double of(double value, double root, double other, DType stored) const {
    const double unit = dtype == f32 ? 0x1p-24 : dtype == f16 ? 0x1p-11 : 0x1p-8;
    const double smallest = dtype == f16 ? 0x1p-24 * scale : 0;
    const double of_stored = stored == f32 ? 0x1p-24 : stored == f16 ? 0x1p-11 : 0x1p-9;
    const double denormal = stored == f16 ? 0x1p-24 : 0;
    return (3 * unit + 8 * logit_error + 8 * kFloats) * root + smallest * other +
           2 * of_stored * std::fabs(value) + denormal + 1e-30;
  }
};

/// With an entropy gradient: gradients of logits are stored in units of a power of two, at most a 64th of
/// this: of the largest that a token's upstreams, weights and divisors make possible.
double largest_with_entropy(const Checked& checked) {
  const reference::LinearCrossEntropy& problem = checked.problem.problem;
  const reference::LinearCrossEntropyResult& expected = checked.problem.expected;
  const bool is_mean = checked.spec.reduction == LossReduction::mean;
  const double all = std::accumulate(problem.class_weights.begin(), problem.class_weights.end(), 0.0);
  double count = 0, weights = 0, weighted = 0, z_loss = 0, entropy = 0;
  for (std::size_t i = 0; i < problem.targets.size(); ++i) {
    if (expected.argmax[i] < 0) continue;
    const double upstream =
        problem.upstream.empty() ? 1 : problem.upstream[problem.upstream.size() == 1 ? 0 : i];
    double weight = 1;
    if (!problem.class_weights.empty()) {
      const double of_target = problem.class_weights[static_cast<std::size_t>(problem.targets[i])];
      weight = of_target + problem.label_smoothing * all / static_cast<double>(problem.class_weights.size());
      weights += of_target;
    }
    ++count;
    weighted = std::max(weighted, std::fabs(upstream) * weight);
    z_loss = std::max(z_loss, std::fabs(upstream * 2 * problem.lse_square_scale * expected.lse[i]));
    entropy = std::max(entropy, std::fabs(problem.entropy_upstream[i]));
  }
  if (is_mean && count > 0) weighted /= problem.class_weights.empty() ? count : weights;
  if (is_mean && count > 0) z_loss /= count;
  return std::max({weighted, z_loss, entropy}) / problem.temperature;
}

Rounding rounding_of(const Checked& checked) {
  const auto& problem = checked.problem;
  if (checked.spec.has_entropy_gradient)
    return {checked.spec.dtype, problem.logit_error, largest_with_entropy(checked) / 64};
  double largest = problem.upstream.empty() ? 1 : 0;
  for (const float upstream : problem.upstream) largest = std::max(largest, static_cast<double>(upstream));
  double count = 1;
  if (checked.spec.reduction == LossReduction::mean)
    count = std::max<double>(1, 0.2 * static_cast<double>(std::count_if(
                                          problem.expected.argmax.begin(), problem.expected.argmax.end(),
                                          [](std::int64_t argmax) { return argmax >= 0; })));
  const double slope = 1 / problem.problem.temperature;
  return {checked.spec.dtype, problem.logit_error, 8 * largest / count * slope};
}

}  // namespace

std::string check_losses(const Checked& checked, const StoredLosses& stored) {
  const auto& expected = checked.problem.expected;
  std::string wrong = check_per_token(checked, stored);
  if (wrong.empty()) wrong = check_argmax(checked, stored.argmax);
  const double tolerance = total_tolerance(checked);
  if (wrong.empty() && !stored.loss.empty())
    wrong = differs("loss", 0, static_cast<double>(stored.loss[0]), expected.loss, tolerance);
  if (wrong.empty() && stored.z_loss.size() == 1 && checked.spec.reduction != LossReduction::none) {
    // Tokens with bad targets make the loss NaN, and z-loss with it.
    const double z_loss = std::isnan(expected.loss) ? expected.loss : expected.z_loss;
    wrong = differs("z_loss", 0, static_cast<double>(stored.z_loss[0]), z_loss, tolerance);
  }
  if (wrong.empty() && !stored.accuracy.empty())
    wrong = differs("accuracy", 0, static_cast<double>(stored.accuracy[0]), expected.accuracy, 1e-6);
  const int bad = checked.test.bad > 0 ? 1 : 0;
  if (wrong.empty() && stored.bad_targets != bad)
    wrong = fmt::format("bad_targets is {}, expected {}", stored.bad_targets, bad);
  return wrong;
}

std::string check_d_hidden(const Checked& checked, const StoredMatrix& stored) {
  if (!stored.wrong.empty()) return stored.wrong;
  const auto& problem = checked.problem;
  const Rounding rounding = rounding_of(checked);
  std::vector<double> other(stored.values.empty() ? 0 : stored.values[0].size());
  for (const auto& row : problem.problem.weight) {
    for (std::size_t i = 0; i < other.size(); ++i) other[i] += std::fabs(row[i]);
  }
  for (std::size_t row = 0; row < stored.values.size(); ++row) {
    const bool counts = problem.expected.argmax[row] >= 0;
    for (std::size_t i = 0; i < other.size(); ++i) {
      const double expected = problem.expected.d_hidden[row][i];
      const double tolerance = counts ? rounding.of(expected, problem.expected.d_hidden_magnitude[row][i],
                                                    other[i], *checked.spec.d_hidden_dtype)
                                      : 0;
      std::string wrong =
          differs(fmt::format("d_hidden[{}]", row), i, stored.values[row][i], expected, tolerance);
      if (!wrong.empty()) return wrong;
    }
  }
  return {};
}

std::string check_d_weight(const Checked& checked, const StoredMatrix& stored, Index first) {
  if (!stored.wrong.empty()) return stored.wrong;
  const auto& problem = checked.problem;
  const Rounding rounding = rounding_of(checked);
  const double before = checked.spec.accumulate_d_weight ? 1 : 0;
  double other = 0;
  for (const auto& row : problem.problem.hidden) {
    for (const double x : row) other = std::max(other, std::fabs(x));
  }
  other *= static_cast<double>(problem.problem.hidden.size());
  // Where chunks add up in 16 bits, every one rounds.
  const double chunks = checked.spec.accumulator_dtype == f32 ? 1 : 16;
  for (std::size_t row = 0; row < stored.values.size(); ++row) {
    const std::size_t column = static_cast<std::size_t>(first) + row;
    for (std::size_t i = 0; i < stored.values[row].size(); ++i) {
      const double expected = before + problem.expected.d_weight[column][i];
      const double root = problem.expected.d_weight_magnitude[column][i];
      const double tolerance =
          rounding.of(chunks * (std::fabs(expected) + root), root, other, checked.spec.d_weight_dtype);
      std::string wrong =
          differs(fmt::format("d_weight[{}]", row), i, stored.values[row][i], expected, tolerance);
      if (!wrong.empty()) return wrong;
    }
  }
  return {};
}

std::string check_d_bias(const Checked& checked, const StoredMatrix& stored, Index first) {
  const auto& problem = checked.problem;
  const Rounding rounding = rounding_of(checked);
  const double before = checked.spec.accumulate_d_weight ? 1 : 0;
  const double chunks = checked.spec.accumulator_dtype == f32 ? 1 : 16;
  for (std::size_t row = 0; row < stored.values.size(); ++row) {
    const std::size_t column = static_cast<std::size_t>(first) + row;
    const double expected = before + problem.expected.d_bias[column];
    const double root = problem.expected.d_bias_magnitude[column];
    const double tolerance =
        rounding.of(chunks * (std::fabs(expected) + root), root,
                    static_cast<double>(problem.problem.hidden.size()), checked.spec.d_weight_dtype);
    std::string wrong = differs("d_bias", row, stored.values[row][0], expected, tolerance);
    if (!wrong.empty()) return wrong;
  }
  return {};
}

}  // namespace lathe::tests
