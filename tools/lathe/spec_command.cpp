// lathe spec: what can be said in a spec.
#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <lathe/kv_presets.h>

#include "codegen/edit_distance.h"
#include "codegen/op.h"
#include "codegen/spec_json.h"
#include "runtime/base/try.h"
#include "tools/lathe/invocation.h"
#include "tools/lathe/table.h"

namespace lathe::tools {

namespace {

using nlohmann::ordered_json;

void list_ops(const Invocation& invocation) {
  if (invocation.json()) {
    ordered_json ops = ordered_json::array();
    for (const codegen::Op& op : codegen::all_ops())
      ops.push_back({{"op", op.name}, {"summary", op.summary}});
    invocation.print_json({{"version", 1}, {"ops", ops}});
    return;
  }
  Table table({{"op"}, {"what it computes"}});
  for (const codegen::Op& op : codegen::all_ops()) table.add({std::string(op.name), std::string(op.summary)});
  invocation.console().print(table.text());
}

void show_op(const Invocation& invocation, const codegen::Op& op) {
  const auto fields = codegen::fields_of(op);
  if (invocation.json()) {
    ordered_json list = ordered_json::array();
    for (const codegen::FieldInfo& field : fields) {
      const bool is_required = field.default_value == "required";
      ordered_json entry{{"name", field.name}, {"type", field.type}, {"required", is_required}};
      if (!is_required) entry["default"] = ordered_json::parse(field.default_value, nullptr, false);
      entry["unit"] = field.unit;
      entry["allowed"] = field.allowed;
      entry["doc"] = field.doc;
      list.push_back(std::move(entry));
    }
    invocation.print_json({{"version", 1}, {"op", op.name}, {"summary", op.summary}, {"fields", list}});
    return;
  }
  invocation.console().print(fmt::format("{}: {}\n", op.name, op.summary));
  Table table({{"field"}, {"type"}, {"default"}, {"unit"}, {"allowed"}, {"meaning"}});
  for (const codegen::FieldInfo& field : fields) {
    table.add({field.name, field.type, field.default_value, field.unit, field.allowed, field.doc});
  }
  invocation.console().print(table.text());
}

struct SpecArguments {
  std::string op;
  bool lists_presets = false;
  std::string preset;
};

Error no_presets(const std::string& op) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::api,
          .message = op.empty() ? std::string("presets are of an op") : fmt::format("{} has no presets", op),
          .hint = "kv_gather and kv_scatter have some: lathe spec kv_gather --presets"};
}

Result<ExitCode> list_presets(const Invocation& invocation, const std::string& op) {
  if (op != "kv_gather" && op != "kv_scatter") return no_presets(op);
  const auto presets = kv_presets(op == "kv_gather" ? KvDirection::gather : KvDirection::scatter);
  if (invocation.json()) {
    ordered_json list = ordered_json::array();
    for (const KvPreset& preset : presets)
      list.push_back({{"name", preset.name}, {"summary", preset.summary}});
    invocation.print_json({{"version", 1}, {"op", op}, {"presets", list}});
    return ExitCode::ok;
  }
  Table table({{"preset"}, {"of"}});
  for (const KvPreset& preset : presets) table.add({preset.name, preset.summary});
  invocation.console().print(table.text());
  return ExitCode::ok;
}

/// The spec as JSON, to be edited and run.
Result<ExitCode> show_preset(const Invocation& invocation, const std::string& op, const std::string& name) {
  if (op == "kv_gather") {
    LATHE_TRY(const KvGatherSpec spec, kv_gather_preset(name));
    invocation.console().print(codegen::spec_to_json(spec));
    return ExitCode::ok;
  }
  if (op != "kv_scatter") return no_presets(op);
  LATHE_TRY(const KvScatterSpec spec, kv_scatter_preset(name));
  invocation.console().print(codegen::spec_to_json(spec));
  return ExitCode::ok;
}

Result<ExitCode> run_spec(const Invocation& invocation, const SpecArguments& arguments) {
  const std::string& name = arguments.op;
  if (!arguments.preset.empty()) return show_preset(invocation, name, arguments.preset);
  if (arguments.lists_presets) return list_presets(invocation, name);
  if (name.empty()) {
    list_ops(invocation);
    return ExitCode::ok;
  }
  if (const codegen::Op* op = codegen::find_op(name)) {
    show_op(invocation, *op);
    return ExitCode::ok;
  }
  std::vector<std::string_view> known;
  for (const codegen::Op& op : codegen::all_ops()) known.push_back(op.name);
  return Error{.code = ErrorCode::invalid_argument,
               .stage = Stage::api,
               .message = fmt::format("there is no op \"{}\"{}", name, codegen::did_you_mean(name, known)),
               .hint = fmt::format("the ops are {}", fmt::join(known, ", "))};
}

}  // namespace

void add_spec(CLI::App& app, Action& selected) {
  CLI::App* command = app.add_subcommand("spec", "List the ops, or the fields of one op's spec");
  auto arguments = std::make_shared<SpecArguments>();
  command->add_option("OP", arguments->op, "For example rms_norm")->type_name("");
  command->add_flag("--presets", arguments->lists_presets, "List the op's specs that have a name");
  command->add_option("--preset", arguments->preset, "Print the spec of this name as JSON")
      ->type_name("NAME");
  command->callback([&selected, arguments] {
    selected = [arguments](const Invocation& invocation) { return run_spec(invocation, *arguments); };
  });
}

}  // namespace lathe::tools
