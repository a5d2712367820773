#include "tests/kernels/linear_cross_entropy_agreement.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string_view>

#include <fmt/format.h>

#include "tests/reference/rounding.h"

namespace lathe::tests {

namespace {

/// Relative errors of exponentials and of sums in fp32.
constexpr double kFloats = 1e-6;
/// Of a log-sum-exp whose terms are the same, in another order: a unit or two in its last place.
constexpr double kOrder = 0x1p-22;
/// Of what rounds independently: standard deviations of a sum, whose terms' errors are given as their
/// largest. They are spread evenly up to it, or less.
constexpr double kDeviations = 5.0 / 2;

double unit_of(DType dtype) {
  return dtype == f32 ? 0x1p-24 : dtype == f16 ? 0x1p-11 : 0x1p-8;
}

std::string compare(std::string_view name, const std::vector<float>& a, const std::vector<float>& b,
                    double relative, double absolute) {
  if (a.size() != b.size()) return fmt::format("{} has {} numbers or {}", name, a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    const double tolerance = relative * static_cast<double>(std::fabs(a[i])) + absolute;
    if (std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])) <= tolerance) continue;
    return fmt::format("{}[{}] is {} or {}, expected less than {} between them", name, i, a[i], b[i],
                       tolerance);
  }
  return {};
}

/// What the gradients of all tokens' logits are, and how far they may be apart in two modes.
struct LogitGradients {
  reference::Matrix value;
  reference::Matrix apart;
};

/// One token's row of LogitGradients.
class TokenGradients {
 public:
  TokenGradients(const Checked& checked, std::size_t token)
      : checked_(checked),
        of_(checked.problem.problem),
        token_(token),
        target_(of_.targets[token]),
        lse_(checked.problem.expected.lse[token]) {
    const double probability = std::exp(checked.problem.expected.target_logits[token] - lse_);
    const double upstream = of_.upstream.size() == 1 ? 1 : of_.upstream[token] / unit_of_upstreams();
    const double scale = upstream * (of_.scales_by_probability ? probability : 1);
    const auto classes = static_cast<double>(of_.weight.size());
    double all_weights = 0;
    for (std::size_t c = 0; c < of_.weight.size(); ++c) all_weights += weight_of(c);
    of_target_ = scale * (1 - of_.label_smoothing) * weight_of(static_cast<std::size_t>(target_));
    of_weights_ = scale * of_.label_smoothing / classes;
    of_probability_ =
        of_target_ + of_weights_ * all_weights + scale * 2 * of_.lse_square_scale * lse_ * z_ratio();
    after_ = (of_.upstream.size() == 1 ? of_.upstream[0] : unit_of_upstreams()) / loss_divisor();
  }

  /// Of a class, as products are made from it and scaled afterwards.
  double value(std::size_t c) const { return after_ * in_slab(c); }
  double apart(std::size_t c) const {
    const double probability = of_probability_ * probability_of(c) * slope(c);
    const double floats = kFloats * (1 + std::fabs(lse_)) *
                          (std::fabs(probability) + std::fabs(of_weights_ * weight_of(c) * slope(c)));
    const double unit = unit_of(checked_.spec.dtype);
    // Of f16's denormal numbers, with which exponentials and gradients end.
    const double smallest = checked_.spec.dtype == f16 ? 0x1p-25 : 0;
    if (static_cast<std::int64_t>(c) == target_) {
      const double value = in_slab(c);
      const double error = floats + kFloats * std::fabs(of_target_ * slope(c));
      const bool rounds_alike = reference::rounded_to(checked_.spec.dtype, value - error) ==
                                reference::rounded_to(checked_.spec.dtype, value + error);
      return after_ * (error + (rounds_alike ? 0 : 2 * unit * std::fabs(value) + 2 * smallest));
    }
    const double exponential =
        unit * std::fabs(probability) + smallest * std::fabs(of_probability_ * slope(c));
    const double stored = 2 * (unit * std::fabs(in_slab(c)) + smallest);
    return after_ * (exponential + stored + floats + of_slope(c, unit));
  }

 private:
  double weight_of(std::size_t c) const { return of_.class_weights.empty() ? 1 : of_.class_weights[c]; }
  double logit(std::size_t c) const {
    return checked_.problem.logit(static_cast<Index>(token_), static_cast<Index>(c));
  }
  double probability_of(std::size_t c) const { return std::exp(logit(c) - lse_); }
  double capped_share(std::size_t c) const { return logit(c) * of_.temperature / of_.soft_cap; }
  double slope(std::size_t c) const {
    const double share = of_.soft_cap > 0 ? capped_share(c) : 0;
    return (1 - share * share) / of_.temperature;
  }
  double in_slab(std::size_t c) const {
    const double target = static_cast<std::int64_t>(c) == target_ ? of_target_ : 0;
    return slope(c) * (of_probability_ * probability_of(c) - target - of_weights_ * weight_of(c));
  }
  /// A soft cap's slope is that of a logit which comes from its rounded exponential.
  double of_slope(std::size_t c, double unit) const {
    if (of_.soft_cap <= 0) return 0;
    const double of_logit = unit * (1 + std::fabs(lse_ - logit(c)));
    const double of_share = of_logit * of_.temperature / of_.soft_cap;
    const double flat = in_slab(c) / slope(c);
    return std::fabs(flat) * 2 * std::fabs(capped_share(c)) * of_share / of_.temperature;
  }

  double unit_of_upstreams() const {
    double largest = 0;
    for (const double upstream : of_.upstream) largest = std::max(largest, std::fabs(upstream));
    return std::exp2(std::floor(std::log2(largest)));
  }
  bool counts(std::size_t token) const { return checked_.problem.expected.argmax[token] >= 0; }
  double loss_divisor() const {
    if (of_.reduction != reference::Reduction::mean) return 1;
    double sum = 0;
    for (std::size_t token = 0; token < of_.targets.size(); ++token) {
      if (counts(token)) sum += weight_of(static_cast<std::size_t>(of_.targets[token]));
    }
    return sum;
  }
  /// Of the divisors of losses and of z-loss.
  double z_ratio() const {
    if (of_.reduction != reference::Reduction::mean) return 1;
    double count = 0;
    for (std::size_t token = 0; token < of_.targets.size(); ++token) count += counts(token) ? 1 : 0;
    return loss_divisor() / count;
  }

  const Checked& checked_;
  const reference::LinearCrossEntropy& of_;
  std::size_t token_;
  std::int64_t target_;
  double lse_;
  double of_probability_ = 0, of_target_ = 0, of_weights_ = 0;
  double after_ = 1;  ///< what products with the slab are multiplied by
};

LogitGradients gradients_of(const Checked& checked) {
  const auto& expected = checked.problem.expected;
  const std::size_t tokens = expected.argmax.size(), classes = checked.problem.problem.weight.size();
  LogitGradients gradients{reference::Matrix(tokens, std::vector<double>(classes)),
                           reference::Matrix(tokens, std::vector<double>(classes))};
  for (std::size_t token = 0; token < tokens; ++token) {
    if (expected.argmax[token] < 0) continue;
    const TokenGradients row(checked, token);
    for (std::size_t c = 0; c < classes; ++c) {
      gradients.value[token][c] = std::fabs(row.value(c));
      gradients.apart[token][c] = std::fabs(row.apart(c));
    }
  }
  return gradients;
}

/// Of the sum of `count` squares.
double root(std::size_t count, auto term) {
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += std::pow(term(i), 2);
  return std::sqrt(sum);
}

struct Apart {
  double rounded;  ///< root of the squares of what the slab's elements may be apart, times their factors
  double summed;   ///< root of the squares of the terms
};

double tolerance_of(double value, const Apart& apart, DType stored) {
  const double smallest = stored == f16 ? 0x1p-24 : 1e-30;
  return kDeviations * apart.rounded + 4 * kFloats * apart.summed + 2 * unit_of(stored) * std::fabs(value) +
         smallest;
}

std::string compare_matrices(std::string_view name, const StoredMatrix& a, const StoredMatrix& b,
                             DType stored, auto apart) {
  if (!a.wrong.empty() || !b.wrong.empty()) return a.wrong + b.wrong;
  if (a.values.size() != b.values.size()) return fmt::format("{} is stored by one mode only", name);
  for (std::size_t row = 0; row < a.values.size(); ++row) {
    for (std::size_t i = 0; i < a.values[row].size(); ++i) {
      const double tolerance = tolerance_of(a.values[row][i], apart(row, i), stored);
      if (std::fabs(a.values[row][i] - b.values[row][i]) <= tolerance) continue;
      return fmt::format("{}[{}][{}] is {} recomputed, {} in the forward, expected less than {} between them",
                         name, row, i, a.values[row][i], b.values[row][i], tolerance);
    }
  }
  return {};
}

}  // namespace

std::string compare_losses(const Checked& checked, const StoredLosses& a, const StoredLosses& b) {
  double lse = 1;
  for (const double each : checked.problem.expected.lse) lse = std::max(lse, std::fabs(each));
  const double of_losses = kOrder * lse;
  std::string wrong = compare("losses", a.losses, b.losses, of_losses, of_losses);
  const auto next = [&](std::string_view name, const auto& x, const auto& y, double relative,
                        double absolute) {
    if (wrong.empty()) wrong = compare(name, x, y, relative, absolute);
  };
  next("loss", a.loss, b.loss, of_losses, of_losses);
  next("z_loss", a.z_loss, b.z_loss, of_losses, 0);
  next("lse", a.lse, b.lse, kOrder, kOrder);
  next("target_logits", a.target_logits, b.target_logits, 0, 0);
  next("entropy", a.entropy, b.entropy, of_losses, of_losses);
  next("accuracy", a.accuracy, b.accuracy, 0, 0);
  if (wrong.empty() && a.argmax != b.argmax) wrong = "argmax differs";
  if (wrong.empty() && a.bad_targets != b.bad_targets) wrong = "bad_targets differs";
  return wrong;
}

std::string compare_gradients(const Checked& checked, const StoredGradients& recomputed,
                              const StoredGradients& in_forward) {
  const LogitGradients logits = gradients_of(checked);
  const reference::Matrix& hidden = checked.problem.problem.hidden;
  const reference::Matrix& weight = checked.problem.problem.weight;
  const double before = checked.spec.accumulate_d_weight ? 0x1p-24 / kFloats : 0;
  const auto of_hidden = [&](std::size_t token, std::size_t i) {
    const auto roots = [&](const reference::Matrix& of) {
      return root(weight.size(), [&](std::size_t c) { return of[token][c] * weight[c][i]; });
    };
    return Apart{roots(logits.apart), roots(logits.value)};
  };
  const auto of_weight = [&](std::size_t c, auto factor) {
    const auto roots = [&](const reference::Matrix& of) {
      return root(hidden.size(), [&](std::size_t token) { return of[token][c] * factor(token); });
    };
    return Apart{roots(logits.apart), roots(logits.value) + before};
  };
  std::string wrong = compare_matrices("d_hidden", recomputed.d_hidden, in_forward.d_hidden,
                                       *checked.spec.d_hidden_dtype, of_hidden);
  if (wrong.empty()) {
    wrong = compare_matrices("d_weight", recomputed.d_weight, in_forward.d_weight,
                             checked.spec.d_weight_dtype, [&](std::size_t c, std::size_t i) {
                               return of_weight(c, [&](std::size_t token) { return hidden[token][i]; });
                             });
  }
  if (wrong.empty()) {
    wrong = compare_matrices(
        "d_bias", recomputed.d_bias, in_forward.d_bias, checked.spec.d_weight_dtype,
        [&](std::size_t c, std::size_t) { return of_weight(c, [](std::size_t) { return 1.0; }); });
  }
  return wrong;
}

}  // namespace lathe::tests
