#include "tests/kernels/linear_cross_entropy_problem.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lathe::tests {

namespace {

/// Distances between rows of the matrices: all differ, so that no stride can stand in for another.
Index stride_of(const LinearCrossEntropyCase& test, Index number) {
  return test.spec.hidden_size + test.padding * (number + 1);
}

void fill(StridedMatrix& matrix, double deviation, std::mt19937& random) {
  std::normal_distribution<double> normal(0, deviation);
  for (Index row = 0; row < matrix.rows; ++row) {
    for (Index column = 0; column < matrix.columns; ++column)
      matrix.values.set(matrix.at(row, column), normal(random));
  }
}

std::vector<std::int64_t> random_targets(const LinearCrossEntropyCase& test, std::mt19937& random) {
  const Index classes = test.spec.vocab_size - test.masked_classes;
  std::uniform_int_distribution<Index> any(0, classes - 1);
  std::vector<std::int64_t> targets(static_cast<std::size_t>(test.tokens));
  for (std::int64_t& target : targets) target = any(random);
  const auto spread = [&](int count, int phase, auto value) {
    for (int i = 0; i < count && !targets.empty(); ++i)
      targets[(static_cast<std::size_t>(i) * targets.size() / static_cast<std::size_t>(count) +
               static_cast<std::size_t>(phase)) %
              targets.size()] = value(i);
  };
  spread(test.ignored, 1, [&](int) { return test.ignore_index; });
  spread(test.bad, 2, [&](int i) { return i % 2 == 0 ? Index{-1} : test.spec.vocab_size + i; });
  return targets;
}

/// Moves the target's logits far up: along each token's hidden row.
void make_confident(LinearCrossEntropyProblem& made) {
  for (std::size_t token = 0; token < made.targets.size(); ++token) {
    const std::int64_t target = made.targets[token];
    if (target < 0 || target >= made.weight.rows) continue;
    const auto row = static_cast<Index>(token);
    double square = 0;
    for (Index i = 0; i < made.hidden.columns; ++i)
      square += std::pow(made.hidden.values.at(made.hidden.at(row, i)), 2);
    for (Index i = 0; i < made.hidden.columns; ++i) {
      const double step = 12 * made.hidden.values.at(made.hidden.at(row, i)) / square;
      const std::size_t at = made.weight.at(target, i);
      made.weight.values.set(at, made.weight.values.at(at) + step);
    }
  }
}

void fill_bias(const LinearCrossEntropyCase& test, HostTensor& bias, std::mt19937& random) {
  std::normal_distribution<double> normal;
  for (std::size_t i = 0; i < bias.count(); ++i) bias.set(i, normal(random));
  for (int i = 0; i < test.masked_classes; ++i)
    bias.set(bias.count() - 1 - static_cast<std::size_t>(i), -std::numeric_limits<double>::infinity());
}

std::vector<float> random_floats(Index count, std::mt19937& random) {
  std::uniform_real_distribution<float> some(0.3f, 1.7f);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = some(random);
  return values;
}

/// Every third one is negative; of tokens that do not count they are NaN.
std::vector<float> random_entropy_upstream(const LinearCrossEntropyCase& test,
                                           const std::vector<std::int64_t>& targets, std::mt19937& random) {
  std::vector<float> values = random_floats(test.tokens, random);
  bool is_first = true;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool is_class = targets[i] >= 0 && targets[i] < test.spec.vocab_size;
    const bool counts = is_class && targets[i] != test.ignore_index;
    values[i] *= (i % 3 == 2 ? -1 : 1) * test.entropy_scale;
    if (counts && !is_first && test.one_entropy) values[i] = 0;
    if (counts) is_first = false;
    if (!counts) values[i] = std::numeric_limits<float>::quiet_NaN();
  }
  return values;
}

reference::LinearCrossEntropy problem_of(const LinearCrossEntropyCase& test,
                                         const LinearCrossEntropyProblem& made) {
  const LinearCrossEntropySpec& spec = test.spec;
  reference::LinearCrossEntropy problem{.hidden = made.hidden.as_reference(),
                                        .weight = made.weight.as_reference(),
                                        .targets = made.targets,
                                        .ignore_index = test.ignore_index,
                                        .scales_by_probability = spec.scales_by_probability};
  for (std::size_t i = 0; i < made.bias.count(); ++i) problem.bias.push_back(made.bias.at(i));
  problem.class_weights.assign(made.class_weights.begin(), made.class_weights.end());
  if (spec.has_label_smoothing) problem.label_smoothing = static_cast<double>(test.label_smoothing);
  if (spec.has_z_loss) problem.lse_square_scale = static_cast<double>(test.lse_square_scale);
  if (spec.has_soft_cap) problem.soft_cap = static_cast<double>(test.soft_cap);
  if (spec.has_temperature) problem.temperature = static_cast<double>(test.temperature);
  problem.reduction = static_cast<reference::Reduction>(spec.reduction);
  if (!made.upstream.empty()) problem.upstream.assign(made.upstream.begin(), made.upstream.end());
  problem.entropy_upstream.assign(made.entropy_upstream.begin(), made.entropy_upstream.end());
  return problem;
}

double largest_logit_error(const reference::LinearCrossEntropy& problem) {
  // Tensor cores add with less care than fp32's rounding: their adders cut bits off.
  constexpr double kPerTerm = 0x1p-22;
  double largest = 0;
  for (const std::vector<double>& x : problem.hidden) {
    for (const std::vector<double>& w : problem.weight) {
      double magnitude = 0;
      for (std::size_t i = 0; i < x.size(); ++i) magnitude += std::fabs(x[i] * w[i]);
      largest = std::max(largest, magnitude);
    }
  }
  return largest * kPerTerm / problem.temperature;
}

}  // namespace

reference::Matrix StridedMatrix::as_reference() const {
  reference::Matrix matrix;
  for (Index row = 0; row < rows; ++row) {
    std::vector<double>& of = matrix.emplace_back();
    for (Index column = 0; column < columns; ++column) of.push_back(values.at(at(row, column)));
  }
  return matrix;
}

LinearCrossEntropyProblem::LinearCrossEntropyProblem(const LinearCrossEntropyCase& test)
    : hidden(test.spec.dtype, test.tokens, test.spec.hidden_size, stride_of(test, 0)),
      weight(test.spec.dtype, test.spec.vocab_size, test.spec.hidden_size, stride_of(test, 1)),
      bias(test.spec.bias_dtype.value_or(test.spec.dtype),
           test.spec.has_bias ? static_cast<std::size_t>(test.spec.vocab_size) : 0) {
  std::mt19937 random(test.seed);
  fill(hidden, 1, random);
  fill(weight, test.spread / std::sqrt(static_cast<double>(test.spec.hidden_size)), random);
  targets = random_targets(test, random);
  if (test.confident) make_confident(*this);
  fill_bias(test, bias, random);
  if (test.spec.has_class_weights) class_weights = random_floats(test.spec.vocab_size, random);
  for (float& value : class_weights) value *= test.class_weight_scale;
  if (test.spec.upstream == UpstreamGradient::scalar) upstream = {0.7f};
  if (test.spec.upstream == UpstreamGradient::token) upstream = random_floats(test.tokens, random);
  for (float& value : upstream) value *= test.upstream_scale;
  if (test.spec.has_entropy_gradient) entropy_upstream = random_entropy_upstream(test, targets, random);
  problem = problem_of(test, *this);
  expected = reference::linear_cross_entropy(problem);
  logit_error = largest_logit_error(problem);
}

double LinearCrossEntropyProblem::logit(Index token, Index column) const {
  const auto& x = problem.hidden[static_cast<std::size_t>(token)];
  const auto& w = problem.weight[static_cast<std::size_t>(column)];
  double z = problem.bias.empty() ? 0 : problem.bias[static_cast<std::size_t>(column)];
  for (std::size_t i = 0; i < x.size(); ++i) z += x[i] * w[i];
  if (problem.soft_cap > 0) z = problem.soft_cap * std::tanh(z / problem.soft_cap);
  return z / problem.temperature;
}

}  // namespace lathe::tests
