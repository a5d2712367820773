#include "tools/lathe/spec_source.h"

#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "codegen/op.h"
#include "codegen/spec_json.h"
#include "runtime/base/try.h"
#include "tools/lathe/files.h"

namespace lathe::tools {

Result<KernelSpec> parse_spec(const std::string& text, const std::string& where) {
  const auto located = [&](Error error) {
    if (!where.empty()) error.message = fmt::format("{}: {}", where, error.message);
    return error;
  };
  auto spec = codegen::spec_from_json(text);
  if (!spec) return located(std::move(spec).error());
  auto normalized = codegen::op_of(*spec).normalize(*spec);
  if (!normalized) return located(std::move(normalized).error());
  return normalized;
}

Result<KernelSpec> read_spec(const std::string& source) {
  if (source.find_first_not_of(" \n\t") != std::string::npos &&
      source[source.find_first_not_of(" \n\t")] == '{') {
    return parse_spec(source, "");
  }
  LATHE_TRY(const std::string text, read_file(source));
  return parse_spec(text, source == "-" ? "standard input" : source);
}

std::string short_name(const KernelSpec& spec) {
  using nlohmann::ordered_json;
  const ordered_json object = ordered_json::parse(codegen::spec_to_json(spec));
  const codegen::Op& op = codegen::op_of(spec);
  std::string name(op.name);
  for (const codegen::FieldInfo& field : codegen::fields_of(op)) {
    // A field of what another field holds is looked up there; of lists only the list itself is told.
    if (field.type == "object" || field.name.find("[]") != std::string::npos) continue;
    const ordered_json* found = &object;
    for (std::size_t at = 0; at < field.name.size() && found->is_object();) {
      const std::size_t end = std::min(field.name.find('.', at), field.name.size());
      found = &found->at(field.name.substr(at, end - at));
      at = end + 1;
    }
    const ordered_json& value = *found;
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    // What is resolved from other fields says nothing new.
    const bool is_resolved =
        field.name == "alignment" || field.name == "weight_dtype" ||
        (field.name.ends_with("_dtype") && value == object.value("dtype", ordered_json()));
    if (is_resolved || value.dump() == field.default_value) {
      if (field.name != "dtype") continue;
    }
    const bool is_plain = field.name == "hidden_size" || field.name == "dtype";
    name += is_plain ? fmt::format(" {}", text) : fmt::format(" {}={}", field.name, text);
  }
  return name;
}

}  // namespace lathe::tools
