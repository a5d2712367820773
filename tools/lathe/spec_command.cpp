// lathe spec: what can be said in a spec.
#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "codegen/edit_distance.h"
#include "codegen/op.h"
#include "codegen/spec_json.h"
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

Result<ExitCode> run_spec(const Invocation& invocation, const std::string& name) {
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
  auto op = std::make_shared<std::string>();
  command->add_option("OP", *op, "For example rms_norm")->type_name("");
  command->callback([&selected, op] {
    selected = [op](const Invocation& invocation) { return run_spec(invocation, *op); };
  });
}

}  // namespace lathe::tools
