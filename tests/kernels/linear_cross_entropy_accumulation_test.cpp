// What linear_cross_entropy adds up over chunks of tokens, and over launches: in how many pieces makes no
// difference but that of fp32 sums.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "codegen/ops/linear_cross_entropy_steps.h"
#include "tests/kernels/linear_cross_entropy_case.h"
#include "tests/kernels/linear_cross_entropy_launch.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

using Spec = LinearCrossEntropySpec;
using Case = LinearCrossEntropyCase;

/// The least budget with which the tokens are in no more than so many chunks; there are exactly so many.
Index budget_for_chunks(const Runtime& runtime, const Case& test, const Spec& normalized, Index chunks) {
  std::vector<codegen::EntryPoint> entries(1);
  if (runtime.target().backend != Backend::cpu) entries[0].launch.block = {256};
  const auto chunks_within = [&](Index budget) -> Index {
    LinearCrossEntropyArgs args{.tokens = test.tokens, .workspace_budget = budget};
    const auto divided =
        codegen::divide_linear_cross_entropy(normalized, {.entries = entries, .processors = 1}, args);
    return divided ? (test.tokens + args.chunk_rows - 1) / args.chunk_rows : test.tokens + 1;
  };
  Index low = 0, high = Index{1} << 32;  // too little, and enough
  while (low + 1 < high) {
    const Index middle = low + (high - low) / 2;
    (chunks_within(middle) <= chunks ? high : low) = middle;
  }
  REQUIRE(chunks_within(high) == chunks);
  return high;
}

/// As many tokens as 32 chunks of a target have at least.
Case case_of(const Runtime& runtime) {
  const bool on_cpu = runtime.target().backend == Backend::cpu;
  Case test{.spec = {.hidden_size = 8, .vocab_size = 100}, .tokens = on_cpu ? 1024 : 4096, .ignored = 0};
  test.spec.reduction = LossReduction::sum;
  test.spec.has_bias = true;
  test.spec.d_hidden_dtype = f32;
  test.spec.store_lse = true;
  return test;
}

/// What a launch left.
struct Stored {
  Bytes lse, d_hidden;
  reference::Matrix d_weight, d_bias;
};

class Accumulation {
 public:
  Accumulation(Runtime& runtime, const Case& test)
      : runtime_(runtime),
        test_(test),
        problem_(test),
        kernel_(runtime.get(test.spec).value()),
        spec_(std::get<Spec>(kernel_.spec())) {}

  Stored in_chunks(Index chunks) const {
    Case test = test_;
    test.budget = budget_for_chunks(runtime_, test, spec_, chunks);
    LinearCrossEntropyLaunch launch(runtime_, test, spec_);
    add_all(launch);
    const std::string wrong = launch.run(kernel_);
    CHECK(wrong == "");
    return stored_by(launch);
  }

  /// A launch each, which add to the same d_weight.
  Stored in_launches(Index launches) const {
    LinearCrossEntropyLaunch launch(runtime_, test_, spec_);
    add_all(launch);
    LinearCrossEntropyArgs& args = launch.args();
    const auto after = [](auto* pointer, Index bytes) {
      return reinterpret_cast<decltype(pointer)>(reinterpret_cast<std::uintptr_t>(pointer) +
                                                 static_cast<std::uintptr_t>(bytes));
    };
    args.tokens = test_.tokens / launches;
    for (Index i = 0; i < launches; ++i) {
      const std::string wrong = launch.run(kernel_);
      CHECK(wrong == "");
      args.hidden = after(args.hidden, args.tokens * args.hidden_stride * 2);
      args.targets = after(args.targets, args.tokens * 8);
      args.lse = after(args.lse, args.tokens * 4);
      args.d_hidden = after(args.d_hidden, args.tokens * args.d_hidden_stride * 4);
    }
    return stored_by(launch);
  }

  /// Root of the mean square of d_weight's distances from the reference.
  double error_of(const Stored& stored) const {
    double sum = 0, count = 0;
    for (std::size_t row = 0; row < stored.d_weight.size(); ++row) {
      for (std::size_t i = 0; i < stored.d_weight[row].size(); ++i, ++count)
        sum += std::pow(stored.d_weight[row][i] - problem_.expected.d_weight[row][i], 2);
    }
    return std::sqrt(sum / count);
  }

  /// Floats that are sums of the same terms.
  void check_same_sums(const Stored& a, const Stored& b) const {
    const auto& expected = problem_.expected;
    CHECK(largest_excess(a.d_weight, b.d_weight, expected.d_weight_magnitude) <= 0);
    const auto& bias = expected.d_bias_magnitude;
    reference::Matrix of_bias;
    for (const double magnitude : bias) of_bias.push_back({magnitude});
    CHECK(largest_excess(a.d_bias, b.d_bias, of_bias) <= 0);
  }

 private:
  void add_all(LinearCrossEntropyLaunch& launch) const {
    launch.add_matrices(problem_, 0, spec_.vocab_size);
    launch.add_vectors(problem_);
    launch.add_losses();
    launch.add_gradients(spec_.vocab_size);
  }

  Stored stored_by(const LinearCrossEntropyLaunch& launch) const {
    return {*launch.result("lse"), *launch.result("d_hidden"), launch.d_weight(spec_.vocab_size).values,
            launch.d_bias(spec_.vocab_size).values};
  }

  /// By how much a distance is beyond what fp32 sums of some thousand terms, in another order, may be apart.
  static double largest_excess(const reference::Matrix& a, const reference::Matrix& b,
                               const reference::Matrix& roots) {
    double excess = -1;
    for (std::size_t row = 0; row < a.size(); ++row) {
      for (std::size_t i = 0; i < a[row].size(); ++i) {
        const double tolerance = 32 * 0x1p-24 * (roots[row][i] + std::fabs(a[row][i]) + 1);
        excess = std::max(excess, std::fabs(a[row][i] - b[row][i]) - tolerance);
      }
    }
    return excess;
  }

  Runtime& runtime_;
  const Case& test_;
  LinearCrossEntropyProblem problem_;
  KernelFor<Spec> kernel_;
  const Spec& spec_;
};

}  // namespace

TEST_CASE("linear_cross_entropy: 1, 2, 4 and 32 chunks, or launches that add up, give the same gradients") {
  on_every_target([](Runtime& runtime) {
    if (repeats_sm_80(runtime)) return;
    Case test = case_of(runtime);
    test.spec.accumulate_d_weight = true;
    const Accumulation sums(runtime, test);
    const Stored one = sums.in_chunks(1);
    const auto check = [&](const Stored& other) {
      CHECK(other.lse == one.lse);  // tokens do not know of each other: the same bits
      CHECK(other.d_hidden == one.d_hidden);
      sums.check_same_sums(other, one);
    };
    for (const Index chunks : {2, 4, 32}) check(sums.in_chunks(chunks));
    check(sums.in_launches(4));
  });
}

TEST_CASE("linear_cross_entropy: a 16-bit d_weight of 32 chunks is as near as that of one") {
  on_every_target([](Runtime& runtime) {
    if (repeats_sm_80(runtime)) return;
    Case test = case_of(runtime);
    test.spec.d_weight_dtype = bf16;
    const Accumulation in_floats(runtime, test);
    const double of_one = in_floats.error_of(in_floats.in_chunks(1));
    CHECK(in_floats.error_of(in_floats.in_chunks(32)) <= 1.01 * of_one);
    // What floats are for: sums of 16 bits lose more than twice as much.
    test.spec.accumulator_dtype = bf16;
    const Accumulation in_place(runtime, test);
    CHECK(in_place.error_of(in_place.in_chunks(32)) > 2 * of_one);
  });
}
