// linear_cross_entropy on a CPU gives the same bits on any number of threads, whichever of them does which
// block, in whichever order.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "codegen/canonical.h"
#include "codegen/clang_compiler.h"
#include "codegen/ops/linear_cross_entropy.h"
#include "codegen/render.h"
#include "runtime/cpu/object_linker.h"
#include "tests/kernels/linear_cross_entropy_case.h"
#include "tests/kernels/linear_cross_entropy_chunks.h"
#include "tests/kernels/linear_cross_entropy_launch.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

using LossMode = LinearCrossEntropyMode;
using Spec = LinearCrossEntropySpec;
using Case = LinearCrossEntropyCase;

/// Who does a launch's blocks.
struct Workers {
  int threads;
  std::uint32_t seed;  ///< of the order in which they take blocks
};

/// A kernel's entry points, without the executor that divides blocks as it likes.
class EntryPoints {
 public:
  EntryPoints(const KernelSpec& spec, const Target& target) : spec_(spec) {
    const auto source = codegen::render(spec, target, codegen::TemplateLibrary::embedded()).value();
    const auto binary = codegen::make_clang_compiler()->compile(source, target).value();
    entries_ = binary.entries;
    object_ = runtime::ObjectLinker::link(runtime::ObjectLinker::create().value(),
                                          binary.find(codegen::PayloadKind::object)->bytes)
                  .value();
    for (const codegen::EntryPoint& entry : entries_)
      functions_.push_back(reinterpret_cast<Function>(object_->address_of(entry.name).value()));
  }

  void launch(LinearCrossEntropyArgs args, const Workers& workers) const {
    const codegen::LaunchSite site{.entries = entries_, .processors = workers.threads};
    const auto bytes = std::as_writable_bytes(std::span(&args, 1));
    args.workspace_bytes =
        static_cast<Index>(codegen::workspace_bytes_of_linear_cross_entropy(spec_, site, bytes).value());
    Bytes workspace = poison(static_cast<std::size_t>(args.workspace_bytes) + 256);
    const auto at = reinterpret_cast<std::uintptr_t>(workspace.data());
    args.workspace = reinterpret_cast<void*>((at + 255) / 256 * 256);
    std::mt19937 random(workers.seed);
    codegen::Grids grids = codegen::prepare_linear_cross_entropy(spec_, site, bytes).value();
    do {
      for (std::size_t i = 0; i < functions_.size(); ++i)
        run(functions_[i], args, static_cast<Index>(grids[i].x), workers.threads, random);
    } while (codegen::next_round_of_linear_cross_entropy(spec_, site, bytes, grids));
  }

 private:
  using Function = void (*)(const void*, Index, Index);

  static void run(Function function, const LinearCrossEntropyArgs& args, Index blocks, int threads,
                  std::mt19937& random) {
    std::vector<Index> order(static_cast<std::size_t>(blocks));
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
      for (std::size_t at = next++; at < order.size(); at = next++) function(&args, order[at], order[at] + 1);
    };
    std::vector<std::jthread> others;
    for (int i = 1; i < threads; ++i) others.emplace_back(work);
    work();
  }

  KernelSpec spec_;
  std::vector<codegen::EntryPoint> entries_;
  std::unique_ptr<runtime::ObjectLinker::LinkedObject> object_;
  std::vector<Function> functions_;
};

void add_all(LinearCrossEntropyLaunch& launch, const LinearCrossEntropyProblem& problem, const Spec& spec) {
  if (spec.mode == LossMode::merge) {
    std::vector<float> partials(problem.targets.size() * 3 * 2, 1.5f);
    for (std::size_t i = 0; i < partials.size(); ++i) partials[i] += static_cast<float>(i % 7);
    launch.args().shards = 2;
    launch.args().vocab_total = problem.weight.rows;
    launch.input(launch.args().partials, "partials", bytes_of(partials));
  } else {
    launch.add_matrices(problem, 0, spec.vocab_size);
  }
  launch.add_vectors(problem);
  launch.add_losses();
  launch.add_gradients(spec.vocab_size);
}

std::vector<Bytes> results_of(const LinearCrossEntropyLaunch& launch) {
  std::vector<Bytes> results;
  for (const std::string_view name : {"loss", "losses", "z_loss", "lse", "target_logits", "accuracy",
                                      "argmax", "bad_targets", "d_hidden", "d_weight", "d_bias"})
    results.push_back(launch.result(name).value_or(Bytes{}));
  return results;
}

/// The executor's bits, and those of some numbers of workers.
void check(Runtime& runtime, const Case& test, const Spec& asked) {
  const auto kernel = runtime.get(asked).value();
  const auto& spec = std::get<Spec>(kernel.spec());
  const LinearCrossEntropyProblem problem(test);
  LinearCrossEntropyLaunch by_executor(runtime, test, spec);
  add_all(by_executor, problem, spec);
  const std::string wrong = by_executor.run(kernel);
  CHECK(wrong == "");
  const std::vector<Bytes> expected = results_of(by_executor);
  const EntryPoints entries(kernel.spec(), runtime.target());
  for (const Workers& workers : {Workers{1, 1}, Workers{1, 2}, Workers{2, 3}, Workers{3, 4}, Workers{7, 5}}) {
    LinearCrossEntropyLaunch launch(runtime, test, spec);
    add_all(launch, problem, spec);
    entries.launch(launch.args(), workers);
    INFO(codegen::canonical_text(kernel.spec()) << ": " << workers.threads << " threads");
    const bool is_same = results_of(launch) == expected;
    CHECK(is_same);
  }
}

}  // namespace

TEST_CASE(
    "linear_cross_entropy: a CPU gives the same bits on 1, 2, 3 and 7 threads, in any order of blocks") {
  on_every_target([](Runtime& runtime) {
    if (runtime.target().backend != Backend::cpu) return;
    // Several groups of rows, tiles of classes, slices of hidden columns.
    Case test{.spec = {.hidden_size = 150, .vocab_size = 500}, .tokens = 300, .ignored = 9, .bad = 0};
    test.spec.store_lse = test.spec.store_accuracy = true;
    test.spec.reduction = LossReduction::mean;
    for (const LossMode mode :
         {LossMode::gradient_in_forward, LossMode::recompute, LossMode::forward_only, LossMode::merge}) {
      Spec spec = test.spec;
      spec.mode = mode;
      spec.has_bias = mode != LossMode::merge;
      Case of_mode = test;
      if (mode == LossMode::merge) {
        spec.hidden_size = spec.vocab_size = 0;
        spec.store_accuracy = false;
      } else {
        of_mode.spec = spec;
      }
      check(runtime, of_mode, spec);
      if (mode != LossMode::gradient_in_forward && mode != LossMode::recompute) continue;
      // In chunks, with sums in the workspace.
      spec.d_weight_dtype = bf16;
      of_mode.spec = spec;
      of_mode.budget = 400'000;
      const LinearCrossEntropyChunks chunks = chunks_of(runtime, of_mode);
      CHECK(chunks.of_tokens * chunks.of_classes > 1);
      check(runtime, of_mode, spec);
    }
  });
}
