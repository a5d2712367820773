#include "codegen/spec_json.h"

#include <optional>
#include <set>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "codegen/field_json.h"
#include "codegen/spec_fields.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

using namespace field_json;

/// Parses strictly: a member that stands twice is an error, since one of the two would be ignored.
Result<json> parse_object(std::string_view text) {
  std::vector<std::set<std::string>> seen;
  std::string repeated;
  const auto watch = [&](int, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) seen.emplace_back();
    if (event == json::parse_event_t::object_end) seen.pop_back();
    if (event == json::parse_event_t::key && !seen.back().insert(parsed.get<std::string>()).second) {
      repeated = parsed.get<std::string>();
    }
    return true;
  };
  try {
    json object = json::parse(text, watch);
    if (!object.is_object())
      return bad(fmt::format("a spec is a JSON object, this is {}", object.type_name()));
    if (!repeated.empty()) return bad(fmt::format("the field \"{}\" stands twice", shortened(repeated)));
    return object;
  } catch (const json::exception& failure) {
    // Of a syntax error, or of a number that no double holds. The library's tag in brackets says nothing.
    const std::string_view what = failure.what();
    return bad(fmt::format("not JSON: {}", what.substr(what.find("] ") + 2)));
  }
}

template <class Spec>
Result<KernelSpec> as_spec(Result<Spec> spec) {
  if (!spec) return std::move(spec).error();
  return KernelSpec(*std::move(spec));
}

}  // namespace

Result<KernelSpec> spec_from_json(std::string_view text) {
  LATHE_TRY(const json object, parse_object(text));
  std::vector<std::string_view> ops;
  for (const Op& op : all_ops()) ops.push_back(op.name);
  if (!object.contains("op")) {
    return bad("the field \"op\" is missing", fmt::format("it is one of {}", fmt::join(ops, ", ")));
  }
  if (!object["op"].is_string()) return wrong_type("op", object["op"], "the name of an op");
  std::optional<Result<KernelSpec>> spec;
  for_each_spec([&]<class Spec>(std::type_identity<Spec>) {
    if (object["op"] == SpecFields<Spec>::op) spec = as_spec(read_struct<Spec>({}, object));
  });
  if (!spec) return unknown_name("op", object["op"], ops);
  return *std::move(spec);
}

std::string spec_to_json(const KernelSpec& spec) {
  return std::visit(
      [](const auto& s) {
        using Spec = std::decay_t<decltype(s)>;
        ordered_json object{{"op", SpecFields<Spec>::op}};
        for_each_field<Spec>(
            [&](const auto& field) { object[std::string(field.name)] = write(s.*field.member); });
        return object.dump();
      },
      spec);
}

}  // namespace lathe::codegen
