#include "tests/kernels/linear_cross_entropy_chain.h"

#include <cstddef>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "codegen/canonical.h"
#include "tests/kernels/linear_cross_entropy_agreement.h"
#include "tests/kernels/linear_cross_entropy_launch.h"
#include "tests/support/kernel_report.h"

namespace lathe::tests {

namespace {

using Mode = LinearCrossEntropyMode;
using Spec = LinearCrossEntropySpec;

/// Of the vocabulary.
struct Shard {
  Index first = 0;
  Index classes = 0;
};

/// A kernel and the memory of its launch.
struct Step {
  Step(Runtime& its_runtime, const LinearCrossEntropyCase& test, const Spec& its_spec)
      : runtime(its_runtime),
        kernel(runtime.get(its_spec).value()),
        spec(std::get<Spec>(kernel.spec())),
        launch(runtime, test, spec) {}

  /// Tensors that the mode does not have are left out.
  void add(const LinearCrossEntropyProblem& problem, Shard shard) {
    launch.add_matrices(problem, shard.first, shard.classes);
    launch.add_vectors(problem);
    launch.add_losses();
    launch.add_gradients(shard.classes);
    if (spec.vocab_parallel) launch.args().vocab_first = shard.first;
  }
  /// In the place of the reference's.
  void read_what_was_stored_by(Step& forward) {
    launch.args().lse_in = forward.launch.args().lse;
    if (spec.scales_by_probability) launch.args().target_logits_in = forward.launch.args().target_logits;
  }
  std::string run() {
    const std::string wrong = launch.run(kernel);
    report_kernel(spec, runtime.target(), wrong.empty());
    return wrong.empty() ? wrong : fmt::format("{}: {}", codegen::canonical_text(kernel.spec()), wrong);
  }
  StoredGradients gradients(Index classes) const {
    return {launch.d_hidden(), launch.d_weight(classes), launch.d_bias(classes)};
  }

  Runtime& runtime;
  KernelFor<Spec> kernel;
  const Spec& spec;  ///< normalized
  LinearCrossEntropyLaunch launch;
};

Spec with_mode(Spec spec, Mode mode) {
  spec.mode = mode;
  return spec;
}

Spec spec_of_shard(const Spec& whole, Mode mode, Index classes) {
  Spec spec = with_mode(whole, mode);
  spec.vocab_parallel = true;
  spec.vocab_size = classes;
  if (mode == Mode::recompute) spec.d_hidden_dtype = f32;  // parts are rounded when they have been added up
  return spec;
}

Spec spec_of_merge(const Spec& whole) {
  Spec spec = with_mode(whole, Mode::merge);
  spec.hidden_size = spec.vocab_size = 0;
  spec.bias_dtype.reset();
  spec.alignment = 0;
  return spec;
}

/// Against the reference, and against the other mode.
std::string compare(const Checked& checked, const StoredGradients& recomputed,
                    const StoredGradients& in_forward) {
  std::string wrong = check_d_hidden(checked, recomputed.d_hidden);
  if (wrong.empty()) wrong = check_d_weight(checked, recomputed.d_weight, 0);
  if (wrong.empty()) wrong = check_d_bias(checked, recomputed.d_bias, 0);
  if (wrong.empty()) wrong = compare_gradients(checked, recomputed, in_forward);
  return wrong.empty() ? wrong : fmt::format("{}: {}", codegen::canonical_text(checked.spec), wrong);
}

/// Runs a shard's forward and appends its partials.
std::string append_partials(Runtime& runtime, const LinearCrossEntropyCase& test,
                            const LinearCrossEntropyProblem& problem, Shard shard, Bytes& partials) {
  Step step(runtime, test, spec_of_shard(test.spec, Mode::forward_only, shard.classes));
  step.add(problem, shard);
  const std::size_t fields = 3 + (step.spec.has_label_smoothing ? 1U : 0) +
                             (step.spec.store_entropy ? 1U : 0) + (step.spec.store_argmax ? 1U : 0);
  step.launch.output(step.launch.args().partials, "partials",
                     poison(fields * static_cast<std::size_t>(test.tokens) * 4));
  std::string wrong = step.run();
  const Bytes part = *step.launch.result("partials");
  partials.insert(partials.end(), part.begin(), part.end());
  return wrong;
}

void append_rows(reference::Matrix& to, const reference::Matrix& rows) {
  to.insert(to.end(), rows.begin(), rows.end());
}

void add(reference::Matrix& to, const reference::Matrix& part) {
  if (to.empty()) to.assign(part.size(), std::vector<double>(part.empty() ? 0 : part[0].size()));
  for (std::size_t row = 0; row < part.size(); ++row) {
    for (std::size_t i = 0; i < part[row].size(); ++i) to[row][i] += part[row][i];
  }
}

/// Runs a shard's recompute; its classes' gradients go behind the others', its d_hidden on top.
std::string add_recomputed(Runtime& runtime, const LinearCrossEntropyCase& test,
                           const LinearCrossEntropyProblem& problem, Shard shard, Step& merge,
                           StoredGradients& all) {
  Step step(runtime, test, spec_of_shard(test.spec, Mode::recompute, shard.classes));
  step.add(problem, shard);
  step.read_what_was_stored_by(merge);
  if (std::string wrong = step.run(); !wrong.empty()) return wrong;
  const StoredGradients part = step.gradients(shard.classes);
  add(all.d_hidden.values, part.d_hidden.values);
  append_rows(all.d_weight.values, part.d_weight.values);
  append_rows(all.d_bias.values, part.d_bias.values);
  return part.d_hidden.wrong + part.d_weight.wrong;
}

}  // namespace

std::string run_modes_in_a_chain(Runtime& runtime, const LinearCrossEntropyCase& test) {
  const LinearCrossEntropyProblem problem(test);
  const Shard whole{0, test.spec.vocab_size};
  Step forward(runtime, test, with_mode(test.spec, Mode::forward_only));
  Step recompute(runtime, test, with_mode(test.spec, Mode::recompute));
  Step at_once(runtime, test, with_mode(test.spec, Mode::gradient_in_forward));
  for (Step* step : {&forward, &recompute, &at_once}) step->add(problem, whole);
  recompute.read_what_was_stored_by(forward);
  for (Step* step : {&forward, &recompute, &at_once}) {
    if (std::string wrong = step->run(); !wrong.empty()) return wrong;
  }
  const Checked checked{test, at_once.spec, problem};
  std::string wrong = compare_losses(checked, forward.launch.losses(), at_once.launch.losses());
  if (!wrong.empty()) return fmt::format("{}: {}", codegen::canonical_text(at_once.kernel.spec()), wrong);
  return compare(checked, recompute.gradients(whole.classes), at_once.gradients(whole.classes));
}

std::string run_shards_in_a_chain(Runtime& runtime, const LinearCrossEntropyCase& test,
                                  const std::vector<Index>& sizes) {
  const LinearCrossEntropyProblem problem(test);
  std::vector<Shard> shards;
  for (const Index size : sizes)
    shards.push_back({shards.empty() ? 0 : shards.back().first + shards.back().classes, size});
  Bytes partials;
  for (const Shard& shard : shards) {
    if (std::string wrong = append_partials(runtime, test, problem, shard, partials); !wrong.empty())
      return wrong;
  }
  Step merge(runtime, test, spec_of_merge(test.spec));
  merge.launch.args().shards = static_cast<Index>(shards.size());
  merge.launch.input(merge.launch.args().partials, "partials", std::move(partials));
  merge.launch.add_vectors(problem);
  merge.launch.add_losses();
  if (std::string wrong = merge.run(); !wrong.empty()) return wrong;
  StoredGradients recomputed;
  for (const Shard& shard : shards) {
    if (std::string wrong = add_recomputed(runtime, test, problem, shard, merge, recomputed); !wrong.empty())
      return wrong;
  }
  Spec whole = with_mode(test.spec, Mode::gradient_in_forward);
  whole.d_hidden_dtype = f32;
  Step at_once(runtime, test, whole);
  at_once.add(problem, {0, test.spec.vocab_size});
  if (std::string wrong = at_once.run(); !wrong.empty()) return wrong;
  const Checked checked{test, at_once.spec, problem};
  std::string wrong = compare_losses(checked, merge.launch.losses(), at_once.launch.losses());
  return wrong.empty() ? compare(checked, recomputed, at_once.gradients(test.spec.vocab_size)) : wrong;
}

}  // namespace lathe::tests
