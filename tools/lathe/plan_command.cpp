// lathe plan: from a model's configuration to a manifest.
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "codegen/op.h"
#include "codegen/spec_json.h"
#include "runtime/base/try.h"
#include "tools/lathe/files.h"
#include "tools/lathe/invocation.h"
#include "tools/lathe/manifest.h"
#include "tools/models/model_plan.h"

namespace lathe::tools {

namespace {

using nlohmann::ordered_json;

struct PlanArguments {
  std::string config;
  std::vector<std::string> targets;
};

Result<ExitCode> run_plan(const Invocation& invocation, const PlanArguments& arguments) {
  LATHE_TRY(const std::string text, read_file(arguments.config));
  const std::string file = arguments.config == "-" ? "standard input" : arguments.config;
  LATHE_TRY(const models::ModelConfig config, models::parse_config(text, file));
  LATHE_TRY(const models::ModelPlan plan, models::plan_model(config));

  ordered_json specs = ordered_json::array();
  ordered_json uses = ordered_json::array();
  for (const models::KernelUse& use : plan.uses) {
    LATHE_TRY(const KernelSpec spec, codegen::op_of(use.spec).normalize(use.spec));
    uses.push_back(
        {{"spec", specs.size()}, {"count", use.count}, {"epsilon", plan.epsilon}, {"where", use.where}});
    specs.push_back(ordered_json::parse(codegen::spec_to_json(spec)));
  }
  ordered_json manifest{{"version", kManifestVersion}, {"model", config.model_type}, {"specs", specs}};
  if (!arguments.targets.empty()) {
    manifest["targets"] = ordered_json::array();
    for (const std::string& name : arguments.targets) {
      LATHE_TRY(const Target target, parse_target(name));
      manifest["targets"].push_back(target.text());
    }
  }
  manifest["uses"] = uses;
  if (!plan.warnings.empty()) manifest["notes"] = plan.warnings;
  for (const std::string& warning : plan.warnings) invocation.console().warn(warning);
  // The manifest is JSON with and without --json; only the layout differs.
  invocation.json() ? invocation.print_json(manifest) : invocation.console().print(manifest.dump(2));
  return ExitCode::ok;
}

}  // namespace

void add_plan(CLI::App& app, Action& selected) {
  CLI::App* command = app.add_subcommand("plan", "List the kernels that a model needs, as a manifest");
  auto arguments = std::make_shared<PlanArguments>();
  command->add_option("--config", arguments->config, "The model's config.json; - for standard input")
      ->required()
      ->type_name("FILE");
  command->add_option("--target", arguments->targets, "Targets to write into the manifest: sm_90a,cpu")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("TARGET");
  command->callback([&selected, arguments] {
    selected = [arguments](const Invocation& invocation) { return run_plan(invocation, *arguments); };
  });
}

}  // namespace lathe::tools
