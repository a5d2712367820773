#include "tests/kernels/linear_cross_entropy_case.h"

#include <cstddef>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "codegen/canonical.h"
#include "tests/kernels/linear_cross_entropy_check.h"
#include "tests/kernels/linear_cross_entropy_launch.h"
#include "tests/kernels/linear_cross_entropy_problem.h"
#include "tests/support/kernel_report.h"

namespace lathe::tests {

namespace {

using Mode = LinearCrossEntropyMode;
using Launch = LinearCrossEntropyLaunch;

std::string check_gradients(const Checked& checked, const Launch& launch) {
  const Index classes = checked.test.spec.vocab_size;
  if (std::string wrong = check_d_hidden(checked, launch.d_hidden()); !wrong.empty()) return wrong;
  if (std::string wrong = check_d_weight(checked, launch.d_weight(classes), 0); !wrong.empty()) return wrong;
  return check_d_bias(checked, launch.d_bias(classes), 0);
}

std::string run_once(Runtime& runtime, const LinearCrossEntropyCase& test,
                     const KernelFor<LinearCrossEntropySpec>& kernel) {
  const auto& spec = std::get<LinearCrossEntropySpec>(kernel.spec());
  const LinearCrossEntropyProblem problem(test);
  Launch launch(runtime, test, spec);
  launch.add_matrices(problem, 0, spec.vocab_size);
  launch.add_vectors(problem);
  launch.add_losses();
  launch.add_gradients(spec.vocab_size);
  if (std::string wrong = launch.run(kernel); !wrong.empty()) return wrong;
  const Checked checked{test, spec, problem};
  if (std::string wrong = check_losses(checked, launch.losses()); !wrong.empty()) return wrong;
  if (std::string wrong = check_gradients(checked, launch); !wrong.empty()) return wrong;
  return launch.run_again(kernel);
}

/// One shard's launch.
struct Shard {
  Index first = 0;
  Index classes = 0;
};

/// Partials of all shards, one after the other.
Result<Bytes> partials_of(Runtime& runtime, const LinearCrossEntropyCase& test,
                          const LinearCrossEntropyProblem& problem, const std::vector<Shard>& shards,
                          std::string& wrong) {
  Bytes partials;
  for (const Shard& shard : shards) {
    LinearCrossEntropySpec spec = test.spec;
    spec.mode = Mode::forward_only;
    spec.has_entropy_gradient = false;
    spec.vocab_parallel = true;
    spec.vocab_size = shard.classes;
    auto kernel = runtime.get(spec);
    if (!kernel) return std::move(kernel).error();
    const auto& normalized = std::get<LinearCrossEntropySpec>(kernel->spec());
    Launch launch(runtime, test, normalized);
    launch.args().vocab_first = shard.first;
    launch.add_matrices(problem, shard.first, shard.classes);
    launch.add_vectors(problem);
    const std::size_t fields = 3 + (spec.has_label_smoothing ? 1U : 0) + (spec.store_entropy ? 1U : 0) +
                               (spec.store_argmax || spec.store_accuracy ? 1U : 0);
    launch.output(launch.args().partials, "partials",
                  poison(fields * static_cast<std::size_t>(test.tokens) * 4));
    wrong = launch.run(*kernel);
    if (wrong.empty()) wrong = launch.run_again(*kernel);
    report_kernel(spec, runtime.target(), wrong.empty());
    const Bytes part = *launch.result("partials");
    partials.insert(partials.end(), part.begin(), part.end());
  }
  return partials;
}

/// What merge stored for recompute; nothing of what it was not to store.
struct Merged {
  std::optional<Bytes> lse, entropy;
};

std::string check_merge(Runtime& runtime, const LinearCrossEntropyCase& test,
                        const LinearCrossEntropyProblem& problem, Bytes partials, std::size_t shards,
                        Merged& merged) {
  LinearCrossEntropySpec spec = test.spec;
  spec.mode = Mode::merge;
  spec.has_entropy_gradient = false;
  spec.hidden_size = spec.vocab_size = 0;
  spec.bias_dtype.reset();
  spec.alignment = 0;
  auto kernel = runtime.get(spec);
  if (!kernel) return kernel.error().text();
  const auto& normalized = std::get<LinearCrossEntropySpec>(kernel->spec());
  Launch launch(runtime, test, normalized);
  launch.args().shards = static_cast<Index>(shards);
  launch.input(launch.args().partials, "partials", std::move(partials));
  launch.add_vectors(problem);
  launch.add_losses();
  std::string wrong = launch.run(*kernel);
  if (wrong.empty()) wrong = check_losses({test, normalized, problem}, launch.losses());
  if (wrong.empty()) wrong = launch.run_again(*kernel);
  merged = {launch.result("lse"), launch.result("entropy")};
  report_kernel(spec, runtime.target(), wrong.empty());
  return wrong;
}

std::string check_recomputed_shards(Runtime& runtime, const LinearCrossEntropyCase& test,
                                    const LinearCrossEntropyProblem& problem,
                                    const std::vector<Shard>& shards, const Merged& merged) {
  reference::Matrix d_hidden;
  for (const Shard& shard : shards) {
    LinearCrossEntropySpec spec = test.spec;
    spec.vocab_parallel = true;
    spec.vocab_size = shard.classes;
    spec.d_hidden_dtype = f32;  // parts are rounded when they have been added up
    auto kernel = runtime.get(spec);
    if (!kernel) return kernel.error().text();
    const auto& normalized = std::get<LinearCrossEntropySpec>(kernel->spec());
    Launch launch(runtime, test, normalized);
    launch.args().vocab_first = shard.first;
    launch.add_matrices(problem, shard.first, shard.classes);
    launch.add_vectors(problem);
    if (merged.lse) launch.input(launch.args().lse_in, "lse_in", *merged.lse);
    if (merged.entropy && spec.has_entropy_gradient)
      launch.input(launch.args().entropy_in, "entropy_in", *merged.entropy);
    launch.add_gradients(shard.classes);
    const Checked checked{test, normalized, problem};
    std::string wrong = launch.run(*kernel);
    if (wrong.empty()) wrong = check_d_weight(checked, launch.d_weight(shard.classes), shard.first);
    if (wrong.empty()) wrong = check_d_bias(checked, launch.d_bias(shard.classes), shard.first);
    report_kernel(spec, runtime.target(), wrong.empty());
    if (!wrong.empty()) return wrong;
    const StoredMatrix part = launch.d_hidden();
    if (d_hidden.empty()) d_hidden.assign(part.values.size(), std::vector<double>(part.values[0].size()));
    for (std::size_t row = 0; row < d_hidden.size(); ++row) {
      for (std::size_t i = 0; i < d_hidden[row].size(); ++i) d_hidden[row][i] += part.values[row][i];
    }
  }
  LinearCrossEntropySpec summed = test.spec;
  summed.d_hidden_dtype = f32;
  return check_d_hidden({test, summed, problem}, {.values = d_hidden});
}

}  // namespace

LinearCrossEntropySpec storing_all(LinearCrossEntropyMode mode, std::int64_t hidden, std::int64_t vocab) {
  return {.hidden_size = hidden,
          .vocab_size = vocab,
          .mode = mode,
          .store_losses = true,
          .store_z_loss = true,
          .store_lse = true,
          .store_target_logits = true,
          .store_entropy = true,
          .store_argmax = true,
          .store_accuracy = true};
}

std::string run_linear_cross_entropy(Runtime& runtime, const LinearCrossEntropyCase& test) {
  auto kernel = runtime.get(test.spec);
  if (!kernel) return kernel.error().text();
  const std::string wrong = run_once(runtime, test, *kernel);
  report_kernel(test.spec, runtime.target(), wrong.empty());
  return wrong.empty() ? wrong : fmt::format("{}: {}", codegen::canonical_text(kernel->spec()), wrong);
}

std::string run_vocabulary_shards(Runtime& runtime, const LinearCrossEntropyCase& test,
                                  const std::vector<Index>& sizes) {
  std::vector<Shard> shards;
  for (const Index size : sizes) {
    shards.push_back({shards.empty() ? 0 : shards.back().first + shards.back().classes, size});
  }
  const LinearCrossEntropyProblem problem(test);
  std::string wrong;
  auto partials = partials_of(runtime, test, problem, shards, wrong);
  if (!partials) return partials.error().text();
  Merged merged;
  if (wrong.empty()) wrong = check_merge(runtime, test, problem, *std::move(partials), shards.size(), merged);
  if (wrong.empty() && test.spec.mode == Mode::recompute)
    wrong = check_recomputed_shards(runtime, test, problem, shards, merged);
  return wrong.empty() ? wrong : fmt::format("{}: {}", codegen::canonical_text(test.spec), wrong);
}

}  // namespace lathe::tests
