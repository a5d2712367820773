// lathe cache explain: how a spec's kernel would be found, or why not.
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "runtime/base/try.h"
#include "tools/lathe/cache_command.h"
#include "tools/lathe/spec_source.h"

namespace lathe::tools {

namespace {

struct ExplainArguments {
  std::string spec;
  std::string target;
};

void print_explanation(const Invocation& invocation, const Explanation& explanation) {
  if (invocation.json()) {
    invocation.print_json({{"version", 1},
                           {"key", explanation.key},
                           {"key_text", explanation.key_text},
                           {"found_in", explanation.found_in},
                           {"searched", explanation.searched},
                           {"nearest", explanation.nearest},
                           {"differences", explanation.differences}});
    return;
  }
  Console& console = invocation.console();
  console.print(fmt::format("key {}\n\n{}", explanation.key, explanation.key_text));
  for (const std::string& line : explanation.searched) console.print(line);
  if (!explanation.found_in.empty()) {
    console.print(fmt::format("found in {}", explanation.found_in));
    return;
  }
  console.print("not found: it would be compiled");
  if (explanation.nearest.empty()) return;
  console.print(fmt::format("the nearest entry is {}; it differs in", explanation.nearest));
  for (const std::string& difference : explanation.differences)
    console.print(fmt::format("  {}", difference));
}

Result<ExitCode> run_explain(const Invocation& invocation, const ExplainArguments& arguments) {
  LATHE_TRY(const KernelSpec spec, read_spec(arguments.spec));
  Options options = invocation.options();
  if (!arguments.target.empty()) {
    LATHE_TRY(options.target, parse_target(arguments.target));
  }
  LATHE_TRY(const Runtime runtime, invocation.open(std::move(options)));
  LATHE_TRY(const Explanation explanation, runtime.explain(spec));
  print_explanation(invocation, explanation);
  return ExitCode::ok;
}

}  // namespace

void add_cache_explain(CLI::App& app, Action& selected) {
  CLI::App* command = app.add_subcommand("explain", "Say where a spec's kernel is found, or what is nearest");
  auto arguments = std::make_shared<ExplainArguments>();
  command->add_option("SPEC", arguments->spec, "A spec as JSON, a file of it, or -")
      ->required()
      ->type_name("");
  command->add_option("--target", arguments->target, "cuda or cpu; default: the GPU if there is one")
      ->type_name("TARGET");
  command->callback([&selected, arguments] {
    selected = [arguments](const Invocation& invocation) { return run_explain(invocation, *arguments); };
  });
}

}  // namespace lathe::tools
