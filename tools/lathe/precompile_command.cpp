// lathe precompile: specs x architectures -> a cache directory, without a GPU.
#include <algorithm>
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cache/disk_store.h"
#include "codegen/spec_json.h"
#include "runtime/base/try.h"
#include "tools/lathe/gpu_compiler.h"
#include "tools/lathe/interrupt.h"
#include "tools/lathe/invocation.h"
#include "tools/lathe/manifest.h"
#include "tools/lathe/precompile_report.h"
#include "tools/lathe/spec_source.h"

namespace lathe::tools {

namespace {

using nlohmann::ordered_json;

struct PrecompileArguments {
  std::string manifest;
  std::vector<std::string> specs;
  std::vector<std::string> archs;
  std::string out;
  int jobs = 0;
  bool keep_going = false;
  bool dry_run = false;
};

Error usage(std::string message, std::string hint) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::api,
          .message = std::move(message),
          .hint = std::move(hint)};
}

Result<Manifest> read_specs(const PrecompileArguments& arguments) {
  if (arguments.manifest.empty() && arguments.specs.empty()) {
    return usage("nothing to compile", "name a manifest, or give --spec '{\"op\": ...}'; see lathe plan");
  }
  Manifest manifest;
  if (!arguments.manifest.empty()) {
    LATHE_TRY(manifest, read_manifest(arguments.manifest));
  }
  for (const std::string& source : arguments.specs) {
    LATHE_TRY(const KernelSpec spec, read_spec(source));
    manifest.items.push_back({spec, std::nullopt});
  }
  return manifest;
}

/// What to compile: every spec for every target named here, or else in the manifest; lines of a trace that
/// have their own target keep it unless --arch says otherwise.
Result<std::vector<PrecompileItem>> items_of(const Invocation& invocation,
                                             const PrecompileArguments& arguments) {
  LATHE_TRY(const Manifest manifest, read_specs(arguments));
  std::vector<Target> targets = manifest.targets;
  if (!arguments.archs.empty()) targets.clear();
  for (const std::string& arch : arguments.archs) {
    LATHE_TRY(const Target target, parse_target(arch));
    targets.push_back(target);
  }
  for (Target& target : targets) {
    LATHE_TRY(target, expand_target(invocation, target));
  }
  std::vector<PrecompileItem> items;
  const auto add = [&](const KernelSpec& spec, const Target& target) {
    const bool is_known = std::any_of(items.begin(), items.end(), [&](const PrecompileItem& item) {
      return item.spec == spec && item.target == target;
    });
    if (!is_known) items.push_back({spec, target});
  };
  for (const ManifestItem& item : manifest.items) {
    const bool has_own = item.target && arguments.archs.empty();
    if (!has_own && targets.empty()) {
      return usage("it is not said what to compile for", "add --arch, for example --arch sm_80,sm_90a");
    }
    if (has_own) {
      LATHE_TRY(const Target own, expand_target(invocation, *item.target));
      add(item.spec, own);
      continue;
    }
    for (const Target& target : targets) add(item.spec, target);
  }
  std::vector<Target> wanted;
  for (const PrecompileItem& item : items) wanted.push_back(item.target);
  LATHE_CHECK(check_archs(wanted, invocation.environment()));
  return items;
}

ExitCode show_plan(const Invocation& invocation, std::span<const PrecompileItem> items) {
  for (const PrecompileItem& item : items) {
    if (invocation.json()) {
      invocation.print_json({{"target", item.target.text()},
                             {"spec", ordered_json::parse(codegen::spec_to_json(item.spec))},
                             {"outcome", "not begun"}});
    } else {
      invocation.console().print(precompile_label(item));
    }
  }
  invocation.console().note(fmt::format("{} kernels; nothing was compiled (--dry-run)", items.size()));
  return ExitCode::ok;
}

/// Kernels that could not be kept were compiled for nothing.
Result<void> check_kept(const Runtime& runtime, const std::string& directory) {
  const Stats stats = runtime.stats();
  if (stats.compiles == 0 || stats.store_failures == 0) return {};
  return Error{
      .code = ErrorCode::io_failed,
      .stage = Stage::store,
      .message = fmt::format("{} reads or writes of the cache directory {} failed: kernels were compiled "
                             "and could not be kept",
                             stats.store_failures, directory),
      .hint = "see the warnings above and lathe doctor; --cache-dir names another directory"};
}

Result<ExitCode> run_precompile(const Invocation& invocation, const PrecompileArguments& arguments) {
  LATHE_TRY(const std::vector<PrecompileItem> items, items_of(invocation, arguments));
  if (arguments.dry_run) return show_plan(invocation, items);

  Options options = invocation.options();
  if (!arguments.out.empty()) options.cache_dir = arguments.out;
  options.disk_cache = true;  // the directory is the result
  options.compile_threads = arguments.jobs;
  const std::string directory = options.cache_dir.value_or("");
  LATHE_TRY(const auto store, cache::DiskStore::open({.root = directory}));  // unusable is an error here

  std::atomic<bool> stop{false};
  Interrupt interrupt(stop);
  LATHE_TRY(Runtime runtime, invocation.open(std::move(options)));
  const auto begin = std::chrono::steady_clock::now();
  std::size_t cancelled = 0;
  ExitCode code = ExitCode::ok;
  {
    PrecompileReport report(invocation, items, directory);
    const auto outcomes = runtime.precompile(
        items,
        [&](const PrecompileOutcome& outcome) {
          report.add(outcome);
          if (outcome.error && !arguments.keep_going) stop = true;
        },
        &stop);
    for (const PrecompileOutcome& outcome : outcomes) {
      cancelled += outcome.error && outcome.error->code == ErrorCode::cancelled ? 1 : 0;
    }
    report.finish(cancelled, std::chrono::steady_clock::now() - begin);
    code = report.code();
  }
  invocation.tell_warnings(runtime);
  if (interrupt.is_set()) return ExitCode::interrupted;
  if (cancelled > 0)
    invocation.console().note("stopped at the first failure; --keep-going compiles the rest");
  if (code != ExitCode::ok) return code;
  LATHE_CHECK(check_kept(runtime, directory));
  return code;
}

}  // namespace

void add_precompile(CLI::App& app, Action& selected) {
  CLI::App* command =
      app.add_subcommand("precompile", "Compile specs for any architectures into a cache directory");
  auto arguments = std::make_shared<PrecompileArguments>();
  command
      ->add_option("MANIFEST", arguments->manifest,
                   "From lathe plan or a recorded trace; - for standard input")
      ->type_name("");
  command->add_option("--spec", arguments->specs, "A spec as JSON or a file of it; may be repeated")
      ->allow_extra_args(false)
      ->type_name("JSON");
  command->add_option("--arch", arguments->archs, "sm_80,sm_90a,cpu:native,...; may be repeated")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("ARCHS");
  command->add_option("--out", arguments->out, "Cache directory to fill, instead of --cache-dir")
      ->type_name("DIR");
  command->add_option("-j,--jobs", arguments->jobs, "Compiles at once; default: what cores and memory allow")
      ->check(CLI::Range(1, 1024))
      ->type_name("N");
  command->add_flag("--keep-going", arguments->keep_going, "Compile the rest after a failure");
  command->add_flag("--dry-run", arguments->dry_run, "Only list what would be compiled");
  command->callback([&selected, arguments] {
    selected = [arguments](const Invocation& invocation) { return run_precompile(invocation, *arguments); };
  });
}

}  // namespace lathe::tools
