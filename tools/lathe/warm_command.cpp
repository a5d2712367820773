// lathe warm: everything of a manifest or trace compiled for this machine, and loaded once.
#include <memory>
#include <span>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "codegen/spec_json.h"
#include "runtime/base/try.h"
#include "tools/lathe/interrupt.h"
#include "tools/lathe/invocation.h"
#include "tools/lathe/manifest.h"
#include "tools/lathe/progress.h"
#include "tools/lathe/spec_source.h"

namespace lathe::tools {

namespace {

using nlohmann::ordered_json;

struct WarmArguments {
  std::string manifest;
  std::string target;
  int jobs = 0;
  bool dry_run = false;
};

struct WarmCounts {
  std::size_t ready = 0;
  std::size_t failed = 0;
  std::size_t not_begun = 0;
  std::size_t elsewhere = 0;  ///< lines of a trace that are for other machines
};

Result<ExitCode> show_missing(const Invocation& invocation, const Runtime& runtime,
                              std::span<const KernelSpec> specs) {
  std::size_t missing = 0;
  for (const KernelSpec& spec : specs) {
    LATHE_TRY(const Explanation explanation, runtime.explain(spec));
    const bool is_there = !explanation.found_in.empty();
    missing += is_there ? 0 : 1;
    if (invocation.json()) {
      invocation.print_json({{"spec", ordered_json::parse(codegen::spec_to_json(spec))},
                             {"key", explanation.key},
                             {"found_in", explanation.found_in}});
    } else {
      invocation.console().print(fmt::format("{}: {}", short_name(spec),
                                             is_there ? "in " + explanation.found_in : "would be compiled"));
    }
  }
  invocation.console().note(
      fmt::format("{} of {} kernels would be compiled (--dry-run)", missing, specs.size()));
  return ExitCode::ok;
}

/// Starts all of them on the runtime's threads and takes them as they come, in order.
WarmCounts load_all(const Invocation& invocation, Runtime& runtime, std::span<const KernelSpec> specs,
                    const std::atomic<bool>& stop) {
  WarmCounts counts;
  Progress progress(invocation.console(), specs.size());
  runtime.prefetch(specs);
  for (const KernelSpec& spec : specs) {
    if (stop) {
      ++counts.not_begun;
      continue;
    }
    const auto kernel = runtime.get_kernel(spec);
    progress.step(fmt::format("{}: {}", short_name(spec), kernel ? "ready" : "FAILED"), !kernel);
    kernel ? ++counts.ready : ++counts.failed;
    if (!kernel) invocation.console().report(kernel.error());
  }
  return counts;
}

void print_summary(const Invocation& invocation, const Runtime& runtime, const WarmCounts& counts) {
  const Stats stats = runtime.stats();
  if (invocation.json()) {
    invocation.print_json({{"version", 1},
                           {"target", runtime.target().text()},
                           {"ready", counts.ready},
                           {"compiled", stats.compiles - stats.compile_failures},
                           {"from_cache", stats.disk_hits + stats.memory_hits},
                           {"failed", counts.failed},
                           {"not_begun", counts.not_begun},
                           {"for_other_targets", counts.elsewhere}});
    return;
  }
  std::string line = fmt::format("{}: {} kernels ready, {} compiled, {} from cache, {} failed",
                                 short_target(runtime.target().text()), counts.ready,
                                 stats.compiles - stats.compile_failures, stats.disk_hits + stats.memory_hits,
                                 counts.failed);
  if (counts.not_begun > 0) line += fmt::format(", {} not begun", counts.not_begun);
  if (counts.elsewhere > 0) line += fmt::format(", {} for other targets left out", counts.elsewhere);
  invocation.console().print(line);
}

Result<ExitCode> run_warm(const Invocation& invocation, const WarmArguments& arguments) {
  LATHE_TRY(const Manifest manifest, read_manifest(arguments.manifest));
  std::atomic<bool> stop{false};
  Interrupt interrupt(stop);
  Options options = invocation.options();
  options.compile_threads = arguments.jobs;
  if (!arguments.target.empty()) {
    LATHE_TRY(options.target, parse_target(arguments.target));
  }
  LATHE_TRY(Runtime runtime, invocation.open(std::move(options)));
  std::vector<KernelSpec> specs;
  std::size_t elsewhere = 0;
  for (const ManifestItem& item : manifest.items) {
    const bool is_ours = !item.target || item.target->is_native() || *item.target == runtime.target();
    elsewhere += is_ours ? 0 : 1;
    if (is_ours) specs.push_back(item.spec);
  }
  if (arguments.dry_run) return show_missing(invocation, runtime, specs);
  WarmCounts counts = load_all(invocation, runtime, specs, stop);
  counts.elsewhere = elsewhere;
  print_summary(invocation, runtime, counts);
  invocation.tell_warnings(runtime);
  if (interrupt.is_set()) return ExitCode::interrupted;
  if (counts.failed > 0) return runtime.has_device() ? ExitCode::failed : ExitCode::toolchain;
  const Stats stats = runtime.stats();
  if (stats.compiles > 0 && (stats.store_failures > 0 || !stats.warnings.empty())) {
    return Error{.code = ErrorCode::io_failed,
                 .stage = Stage::store,
                 .message = "kernels were compiled and loaded, but the cache directory could not keep them",
                 .hint = "see the warnings above and lathe doctor; --cache-dir names another directory"};
  }
  return ExitCode::ok;
}

}  // namespace

void add_warm(CLI::App& app, Action& selected) {
  CLI::App* command = app.add_subcommand("warm", "Fill this machine's cache, and load each kernel once");
  auto arguments = std::make_shared<WarmArguments>();
  command
      ->add_option("MANIFEST", arguments->manifest,
                   "From lathe plan or a recorded trace; - for standard input")
      ->required()
      ->type_name("");
  command->add_option("--target", arguments->target, "cuda or cpu; default: the GPU if there is one")
      ->type_name("TARGET");
  command->add_option("-j,--jobs", arguments->jobs, "Compiles at once; default: what cores and memory allow")
      ->check(CLI::Range(1, 1024))
      ->type_name("N");
  command->add_flag("--dry-run", arguments->dry_run, "Only say what would be compiled");
  command->callback([&selected, arguments] {
    selected = [arguments](const Invocation& invocation) { return run_warm(invocation, *arguments); };
  });
}

}  // namespace lathe::tools
