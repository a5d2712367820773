// linear_cross_entropy with the hidden sizes and vocabularies of language models, on the CPU: as near to
// double precision as what a plain evaluation in bf16 gives, or nearer.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "tests/reference/rounding.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

using Bits = std::vector<std::uint16_t>;
using Doubles = std::vector<double>;

double value_of(std::uint16_t bits) {
  return static_cast<double>(std::bit_cast<float>(std::uint32_t{bits} << 16));
}

struct Sizes {
  std::size_t tokens, hidden, classes;
};

/// A few different tokens, many times; one of seven is ignored.
class Head {
 public:
  static constexpr std::size_t kDifferent = 2;

  explicit Head(const Sizes& its_sizes)
      : sizes(its_sizes),
        hidden(sizes.tokens * sizes.hidden),
        weight(sizes.classes * sizes.hidden),
        targets(sizes.tokens) {
    std::mt19937 random(static_cast<std::uint32_t>(sizes.classes));
    // Evenly spread: logits have a standard deviation of 2.
    const float range = 2 * std::sqrt(3.0f / static_cast<float>(sizes.hidden));
    const auto fill = [&](Bits& bits, std::size_t count, float scale) {
      for (std::size_t i = 0; i < count; ++i) {
        const float even = static_cast<float>(static_cast<std::int32_t>(random())) * 0x1p-31f;
        bits[i] = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(even * scale) >> 16);
      }
    };
    fill(weight, weight.size(), range);
    fill(hidden, kDifferent * sizes.hidden, std::sqrt(3.0f));
    for (std::size_t token = 0; token < sizes.tokens; ++token) {
      const std::size_t of = token % kDifferent;
      std::copy_n(hidden.begin() + static_cast<std::ptrdiff_t>(of * sizes.hidden), sizes.hidden,
                  hidden.begin() + static_cast<std::ptrdiff_t>(token * sizes.hidden));
      targets[token] = counts(token) ? static_cast<std::int64_t>(target_of(of)) : -100;
      if (counts(token)) ++times[of];
    }
  }
  static bool counts(std::size_t token) { return token % 7 != 3; }
  std::size_t target_of(std::size_t different) const {
    return (different + 1) * sizes.classes / kDifferent - 1;
  }
  double count() const { return static_cast<double>(times[0] + times[1]); }

  /// The classes that are looked at: targets, and some others.
  bool is_sampled(std::size_t c) const { return c % 211 == 0 || (c + 1) % (sizes.classes / kDifferent) == 0; }

  Sizes sizes;
  Bits hidden, weight;
  std::vector<std::int64_t> targets;
  std::size_t times[kDifferent] = {};
};

/// Loss and gradients of a Head: of its different tokens, and of sampled classes.
struct Evaluation {
  double loss = 0;
  Doubles d_hidden, d_weight;
};

/// Adds a token that stands `head.times[token]` times, whose logits are given. `round` is done to logits,
/// their gradients and the result's, as by an evaluation that stores all of them.
template <class Round>
void add_token(const Head& head, std::size_t token, const Doubles& logits, Round round, Evaluation& result) {
  const auto [tokens, size, classes] = head.sizes;
  const double times = static_cast<double>(head.times[token]);
  const std::uint16_t* const hidden = head.hidden.data() + token * size;
  double sum = 0;
  for (const double logit : logits) sum += std::exp(round(logit));
  const double lse = std::log(sum);
  result.loss += times * (lse - round(logits[head.target_of(token)])) / head.count();
  Doubles d_hidden(size);
  std::size_t sampled = 0;
  for (std::size_t c = 0; c < classes; ++c) {
    const double is_target = c == head.target_of(token) ? 1 : 0;
    const double gradient = round((std::exp(round(logits[c]) - lse) - is_target) / head.count());
    const std::uint16_t* const weight = head.weight.data() + c * size;
    for (std::size_t i = 0; i < size; ++i) d_hidden[i] += gradient * value_of(weight[i]);
    if (!head.is_sampled(c)) continue;
    if (token == 0) result.d_weight.resize(result.d_weight.size() + size);
    for (std::size_t i = 0; i < size; ++i)
      result.d_weight[sampled * size + i] += times * gradient * value_of(hidden[i]);
    ++sampled;
  }
  for (const double d : d_hidden) result.d_hidden.push_back(round(d));
  if (token + 1 < Head::kDifferent) return;
  for (double& d : result.d_weight) d = round(d);
}

Doubles logits_of(const Head& head, std::size_t token) {
  const std::size_t size = head.sizes.hidden;
  const std::uint16_t* const hidden = head.hidden.data() + token * size;
  Doubles logits(head.sizes.classes);
  for (std::size_t c = 0; c < logits.size(); ++c) {
    const std::uint16_t* const weight = head.weight.data() + c * size;
    for (std::size_t i = 0; i < size; ++i) logits[c] += value_of(hidden[i]) * value_of(weight[i]);
  }
  return logits;
}

/// What a launch gives.
Evaluation launched(Runtime& runtime, const Head& head) {
  const auto [tokens, size, classes] = head.sizes;
  const auto kernel = runtime
                          .get(LinearCrossEntropySpec{.hidden_size = static_cast<Index>(size),
                                                      .vocab_size = static_cast<Index>(classes),
                                                      .d_weight_dtype = bf16})
                          .value();
  float loss = 0;
  // Memory of the CPU's kernels is any memory; NaN first.
  Bits d_hidden(head.hidden.size(), 0xFFFF), d_weight(head.weight.size(), 0xFFFF);
  LinearCrossEntropyArgs args{.hidden = head.hidden.data(),
                              .weight = head.weight.data(),
                              .targets = head.targets.data(),
                              .loss = &loss,
                              .d_hidden = d_hidden.data(),
                              .d_weight = d_weight.data(),
                              .tokens = static_cast<Index>(tokens)};
  args.workspace_bytes = static_cast<Index>(kernel.workspace_bytes(args).value());
  const Buffer workspace = runtime.allocate(static_cast<std::size_t>(args.workspace_bytes)).value();
  args.workspace = workspace.data();
  REQUIRE(kernel.launch(args, {}).has_value());
  REQUIRE(runtime.synchronize({}).has_value());
  Evaluation result{.loss = static_cast<double>(loss), .d_hidden = {}, .d_weight = {}};
  for (std::size_t i = 0; i < Head::kDifferent * size; ++i) result.d_hidden.push_back(value_of(d_hidden[i]));
  for (std::size_t c = 0; c < classes; ++c) {
    if (!head.is_sampled(c)) continue;
    for (std::size_t i = 0; i < size; ++i) result.d_weight.push_back(value_of(d_weight[c * size + i]));
  }
  for (std::size_t token = 0; token < tokens; ++token) {
    const std::uint16_t like = Head::counts(token) ? d_hidden[token % Head::kDifferent * size] : 0;
    CHECK(d_hidden[token * size] == like);
  }
  return result;
}

/// Root of the mean square.
double error_of(const Doubles& values, const Doubles& exact) {
  REQUIRE(values.size() == exact.size());
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += std::pow(values[i] - exact[i], 2);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

}  // namespace

TEST_CASE("linear_cross_entropy: heads of language models, no worse than evaluated in bf16") {
  on_every_target([](Runtime& runtime) {
    // The CPU as it is: smaller ones do the same, for longer.
    const Target& target = runtime.target();
    if (target.backend != Backend::cpu || target.arch.starts_with("x86-64")) return;
    for (const Sizes& sizes :
         {Sizes{1024, 1024, 4096}, Sizes{64, 1024, 32000}, Sizes{64, 768, 50264}, Sizes{32, 768, 128256}}) {
      const Head head(sizes);
      Evaluation exact, plain;
      for (std::size_t token = 0; token < Head::kDifferent; ++token) {
        const Doubles logits = logits_of(head, token);
        add_token(head, token, logits, [](double value) { return value; }, exact);
        add_token(
            head, token, logits, [](double value) { return reference::rounded_to(bf16, value); }, plain);
      }
      const Evaluation stored = launched(runtime, head);
      INFO(sizes.classes << " classes");
      CHECK(std::fabs(stored.loss - exact.loss) <= 1e-5);
      CHECK(error_of(stored.d_hidden, exact.d_hidden) <= 1.1 * error_of(plain.d_hidden, exact.d_hidden));
      CHECK(error_of(stored.d_weight, exact.d_weight) <= 1.1 * error_of(plain.d_weight, exact.d_weight));
    }
  });
}
