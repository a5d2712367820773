// The reference itself: results worked out by hand, and its gradients against differences of its losses.
#include "tests/reference/linear_cross_entropy.h"

#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "tests/support/catch.h"

using namespace lathe::reference;

namespace {

/// Two tokens, three classes; logits are hidden[0] * {1, 2, 3} + hidden[1] * {0, 1, 0}.
LinearCrossEntropy small() {
  return {.hidden = {{1, 0}, {0, 2}}, .weight = {{1, 0}, {2, 1}, {3, 0}}, .targets = {2, 0}};
}

LinearCrossEntropy random_problem(std::uint32_t seed, std::size_t tokens, std::size_t hidden,
                                  std::size_t classes) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  const auto matrix = [&](std::size_t rows) {
    Matrix values(rows, std::vector<double>(hidden));
    for (auto& row : values) {
      for (double& value : row) value = normal(random);
    }
    return values;
  };
  LinearCrossEntropy problem{.hidden = matrix(tokens), .weight = matrix(classes)};
  for (std::size_t c = 0; c < classes; ++c) problem.bias.push_back(normal(random));
  for (std::size_t t = 0; t < tokens; ++t)
    problem.targets.push_back(static_cast<std::int64_t>(random() % classes));
  return problem;
}

/// What the gradients are those of: the reduced loss, or the losses times their upstream gradients; and the
/// entropies times theirs.
double total_of(const LinearCrossEntropy& problem) {
  const auto result = linear_cross_entropy(problem);
  double total = 0;
  for (std::size_t t = 0; t < problem.entropy_upstream.size(); ++t) {
    if (problem.targets[t] != problem.ignore_index) total += problem.entropy_upstream[t] * result.entropy[t];
  }
  if (problem.reduction != Reduction::none) return total + problem.upstream[0] * result.loss;
  for (std::size_t t = 0; t < result.losses.size(); ++t) total += problem.upstream[t] * result.losses[t];
  return total;
}

double difference(LinearCrossEntropy problem, const std::function<double&(LinearCrossEntropy&)>& member) {
  const double step = 1e-5;
  member(problem) += step;
  const double above = total_of(problem);
  member(problem) -= 2 * step;
  return (above - total_of(problem)) / (2 * step);
}

/// Every gradient of a few tokens and classes.
void check_gradients(const LinearCrossEntropy& problem) {
  const auto result = linear_cross_entropy(problem);
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t i = 0; i < problem.hidden[0].size(); ++i) {
      CHECK(result.d_hidden[row][i] ==
            Approx(difference(problem, [&](auto& p) -> double& { return p.hidden[row][i]; })).margin(1e-7));
      CHECK(result.d_weight[row][i] ==
            Approx(difference(problem, [&](auto& p) -> double& { return p.weight[row][i]; })).margin(1e-7));
    }
    CHECK(result.d_bias[row] ==
          Approx(difference(problem, [&](auto& p) -> double& { return p.bias[row]; })).margin(1e-7));
  }
}

}  // namespace

TEST_CASE("linear cross-entropy: losses worked out by hand") {
  const auto result = linear_cross_entropy(small());
  const double lse0 = std::log(std::exp(1) + std::exp(2) + std::exp(3)), lse1 = std::log(2 + std::exp(2));
  CHECK(result.lse[0] == Approx(lse0));
  CHECK(result.lse[1] == Approx(lse1));
  CHECK(result.losses[0] == Approx(lse0 - 3));
  CHECK(result.losses[1] == Approx(lse1));
  CHECK(result.loss == Approx((lse0 - 3 + lse1) / 2));
  CHECK(result.argmax == std::vector<std::int64_t>{2, 1});
  CHECK(result.accuracy == 0.5);
  CHECK(result.target_logits == std::vector<double>{3, 0});
  // p of token 1 is {1, e^2, 1} / (2 + e^2); its gradient reaches the first class alone through hidden[1].
  CHECK(result.d_bias[2] == Approx((std::exp(3 - lse0) - 1) / 2 + std::exp(-lse1) / 2));
  CHECK(result.d_weight[0][1] == Approx((std::exp(-lse1) - 1) * 2 / 2));
  CHECK(result.d_hidden[1][1] == Approx(std::exp(2 - lse1) / 2));
  CHECK(result.entropy[1] == Approx(lse1 - 2 * std::exp(2 - lse1)));
}

TEST_CASE("linear cross-entropy: options worked out by hand") {
  const double lse0 = std::log(std::exp(1) + std::exp(2) + std::exp(3)), lse1 = std::log(2 + std::exp(2));
  auto smooth = small();
  smooth.label_smoothing = 0.3;
  smooth.reduction = Reduction::sum;
  CHECK(linear_cross_entropy(smooth).losses[0] == Approx(0.7 * (lse0 - 3) + 0.1 * (3 * lse0 - 6)));
  CHECK(linear_cross_entropy(smooth).loss ==
        Approx(0.7 * (lse0 - 3) + 0.1 * (3 * lse0 - 6) + 0.7 * lse1 + 0.1 * (3 * lse1 - 2)));

  auto z = small();
  z.lse_square_scale = 0.25;
  CHECK(linear_cross_entropy(z).z_loss == Approx(0.25 * (lse0 * lse0 + lse1 * lse1) / 2));
  CHECK(linear_cross_entropy(z).loss ==
        Approx((lse0 - 3 + lse1) / 2 + 0.25 * (lse0 * lse0 + lse1 * lse1) / 2));

  auto weighted = small();
  weighted.class_weights = {3, 7, 1};
  CHECK(linear_cross_entropy(weighted).loss == Approx((lse0 - 3 + 3 * lse1) / 4));
  weighted.lse_square_scale = 0.25;  // is not weighted
  CHECK(linear_cross_entropy(weighted).z_loss == Approx(0.25 * (lse0 * lse0 + lse1 * lse1) / 2));

  auto capped = small();
  capped.soft_cap = 2;
  capped.temperature = 0.5;
  CHECK(linear_cross_entropy(capped).target_logits[0] == Approx(2 * std::tanh(1.5) / 0.5));

  auto scaled = small();
  scaled.scales_by_probability = true;
  CHECK(linear_cross_entropy(scaled).losses[0] == Approx(std::exp(3 - lse0) * (lse0 - 3)));
}

TEST_CASE("linear cross-entropy: tokens that do not count") {
  auto ignored = small();
  ignored.ignore_index = 0;  // a class like any other
  auto result = linear_cross_entropy(ignored);
  CHECK(result.losses[1] == 0);
  CHECK(result.argmax[1] == -1);
  CHECK(result.loss == result.losses[0]);
  CHECK(result.accuracy == 1);
  CHECK(result.d_hidden[1] == std::vector<double>{0, 0});

  ignored.targets = {0, 0};
  result = linear_cross_entropy(ignored);
  CHECK(result.loss == 0);
  CHECK(std::isnan(result.accuracy));
  CHECK(result.d_weight == Matrix(3, {0, 0}));

  for (const std::int64_t target : {3, -1}) {
    auto beyond = small();
    beyond.targets[0] = target;
    result = linear_cross_entropy(beyond);
    CHECK(std::isnan(result.losses[0]));
    CHECK(std::isnan(result.loss));
    CHECK(result.d_hidden[0] == std::vector<double>{0, 0});
    CHECK(result.d_bias[0] == Approx(std::exp(-result.lse[1]) - 1));  // one token counts
  }
}

TEST_CASE("linear cross-entropy: gradients are those of the losses") {
  std::uint32_t seed = 1;
  for (const Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::none}) {
    for (int options = 0; options < 32; ++options) {
      LinearCrossEntropy problem = random_problem(seed, 5, 4, 7);
      problem.reduction = reduction;
      problem.upstream =
          reduction == Reduction::none ? std::vector<double>{0.7, -1.5, 0, 2, 0.1} : std::vector<double>{0.7};
      if ((options & 1) != 0) problem.label_smoothing = 0.1;
      if ((options & 2) != 0) problem.lse_square_scale = 0.05;
      if ((options & 4) != 0) problem.soft_cap = 3;
      if ((options & 8) != 0) problem.class_weights = {0.5, 1, 2, 0, 1, 3, 0.25};
      if ((options & 16) != 0) problem.temperature = 0.6;
      problem.targets[4] = seed % 2 == 0 ? -100 : problem.targets[4];
      check_gradients(problem);
      ++seed;
    }
  }
}

TEST_CASE("linear cross-entropy: gradients through the entropy are those of the entropies") {
  // By the logits {0, log 3} of one token: p is {1/4, 3/4}, the entropy h is log 4 - 3/4 log 3.
  LinearCrossEntropy pair{.hidden = {{1}}, .weight = {{0}, {std::log(3)}}, .targets = {0}};
  pair.upstream = {0};
  pair.entropy_upstream = {2};
  const auto worked_out = linear_cross_entropy(pair);
  CHECK(worked_out.entropy[0] == Approx(std::log(4) - 0.75 * std::log(3)));
  CHECK(worked_out.d_bias[0] == Approx(2 * 0.1875 * std::log(3)));
  CHECK(worked_out.d_bias[1] == Approx(-2 * 0.1875 * std::log(3)));
  CHECK(worked_out.d_weight[1][0] == Approx(-2 * 0.1875 * std::log(3)));
  CHECK(worked_out.d_hidden[0][0] == Approx(-2 * 0.1875 * std::log(3) * std::log(3)));

  std::uint32_t seed = 100;
  for (const Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::none}) {
    for (int options = 0; options < 32; ++options) {
      LinearCrossEntropy problem = random_problem(seed, 5, 4, 7);
      problem.reduction = reduction;
      problem.upstream =
          reduction == Reduction::none ? std::vector<double>{0.7, -1.5, 0, 2, 0.1} : std::vector<double>{0.7};
      problem.entropy_upstream = {-0.3, 1.2, 0, 0.5, 2};
      if ((options & 1) != 0) problem.label_smoothing = 0.1;
      if ((options & 2) != 0) problem.lse_square_scale = 0.05;
      if ((options & 4) != 0) problem.soft_cap = 3;
      if ((options & 8) != 0) problem.class_weights = {0.5, 1, 2, 0, 1, 3, 0.25};
      if ((options & 16) != 0) problem.temperature = 0.6;
      problem.targets[4] = seed % 2 == 0 ? -100 : problem.targets[4];
      check_gradients(problem);
      ++seed;
    }
  }
}

TEST_CASE(
    "linear cross-entropy: of tokens that do not count, and masked classes, entropies have no gradient") {
  LinearCrossEntropy problem = random_problem(5, 3, 2, 4);
  problem.bias[3] = -std::numeric_limits<double>::infinity();
  problem.targets = {0, -100, 4};
  problem.upstream = {0};
  problem.entropy_upstream = {1, std::nan(""), std::nan("")};
  const auto result = linear_cross_entropy(problem);
  CHECK(result.d_hidden[1] == std::vector<double>{0, 0});
  CHECK(result.d_hidden[2] == std::vector<double>{0, 0});
  CHECK(result.d_bias[3] == 0);
  CHECK(result.d_weight[3] == std::vector<double>{0, 0});
  CHECK(result.d_bias[0] + result.d_bias[1] + result.d_bias[2] == Approx(0).margin(1e-12));
  CHECK(std::fabs(result.d_bias[0]) > 0);
}

TEST_CASE("linear cross-entropy: a probability that scales is a constant") {
  LinearCrossEntropy problem = random_problem(9, 4, 3, 6);
  problem.reduction = Reduction::none;
  problem.upstream = {1, 2, 3, 4};
  const auto plain = linear_cross_entropy(problem);
  problem.scales_by_probability = true;
  const auto scaled = linear_cross_entropy(problem);
  for (std::size_t t = 0; t < 4; ++t) {
    const double probability = std::exp(plain.target_logits[t] - plain.lse[t]);
    CHECK(scaled.losses[t] == Approx(probability * plain.losses[t]));
    for (std::size_t i = 0; i < 3; ++i)
      CHECK(scaled.d_hidden[t][i] == Approx(probability * plain.d_hidden[t][i]));
  }
}

TEST_CASE("linear cross-entropy: shards of the vocabulary add up") {
  const LinearCrossEntropy problem = random_problem(11, 6, 5, 9);
  const auto whole = linear_cross_entropy(problem);
  for (std::size_t t = 0; t < 6; ++t) {
    std::vector<VocabularyPartial> partials;
    for (const auto& [begin, end] : {std::pair{0, 2}, {2, 3}, {3, 9}}) {
      LinearCrossEntropy shard = problem;
      shard.weight = Matrix(problem.weight.begin() + begin, problem.weight.begin() + end);
      shard.bias = std::vector<double>(problem.bias.begin() + begin, problem.bias.begin() + end);
      shard.targets.assign(6, 0);
      const auto part = linear_cross_entropy(shard);
      partials.push_back({.max = part.lse[t] - 0.5, .sum = std::exp(0.5)});  // any maximum does
    }
    CHECK(merged_lse(partials) == Approx(whole.lse[t]));
  }
}
