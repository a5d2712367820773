#include "tools/lathe/manifest.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "codegen/edit_distance.h"
#include "runtime/base/try.h"
#include "tools/lathe/files.h"
#include "tools/lathe/invocation.h"
#include "tools/lathe/spec_source.h"

namespace lathe::tools {

namespace {

using nlohmann::json;

Error bad(const std::string& where, const std::string& what) {
  return {
      .code = ErrorCode::invalid_argument,
      .stage = Stage::api,
      .message = fmt::format("{}: {}", where, what),
      .hint = "a manifest is {\"version\": 1, \"specs\": [...], \"targets\": [...]}, or JSON lines of specs"};
}

void add(Manifest& manifest, const KernelSpec& spec, const std::optional<Target>& target) {
  const bool is_known =
      std::any_of(manifest.items.begin(), manifest.items.end(),
                  [&](const ManifestItem& item) { return item.spec == spec && item.target == target; });
  if (!is_known) manifest.items.push_back({spec, target});
}

Result<Target> target_from(const json& value, const std::string& where) {
  if (!value.is_string()) return bad(where, fmt::format("target is {}, expected a text", value.dump()));
  auto target = parse_target(value.get<std::string>());
  if (!target) target.error().message = fmt::format("{}: {}", where, target.error().message);
  return target;
}

Result<void> check_members(const json& object, const std::string& name) {
  constexpr std::array<std::string_view, 6> kKnown{"version", "specs", "targets", "model", "uses", "notes"};
  for (const auto& [key, value] : object.items()) {
    if (std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end()) {
      return bad(name, fmt::format("unknown member \"{}\"{}", key, codegen::did_you_mean(key, kKnown)));
    }
  }
  if (!object.contains("version") || object["version"] != kManifestVersion) {
    const std::string found = object.contains("version") ? object["version"].dump() : "missing";
    return bad(name, fmt::format("version is {}, this program reads version {}", found, kManifestVersion));
  }
  return {};
}

Result<Manifest> parse_object(const json& object, const std::string& name) {
  LATHE_CHECK(check_members(object, name));
  Manifest manifest;
  const auto specs = object.find("specs");
  if (specs == object.end() || !specs->is_array()) return bad(name, "specs is not an array");
  for (std::size_t i = 0; i < specs->size(); ++i) {
    LATHE_TRY(const KernelSpec spec, parse_spec((*specs)[i].dump(), fmt::format("{}: specs[{}]", name, i)));
    add(manifest, spec, std::nullopt);
  }
  if (!object.contains("targets")) return manifest;
  if (!object["targets"].is_array()) return bad(name, "targets is not an array");
  for (const json& value : object["targets"]) {
    LATHE_TRY(Target target, target_from(value, name));
    manifest.targets.push_back(std::move(target));
  }
  return manifest;
}

Result<void> parse_line(const json& line, const std::string& where, Manifest& manifest) {
  if (!line.is_object()) return bad(where, "this is not a JSON object");
  if (line.contains("op")) {
    LATHE_TRY(const KernelSpec spec, parse_spec(line.dump(), where));
    add(manifest, spec, std::nullopt);
    return {};
  }
  if (!line.contains("spec")) return bad(where, "neither a spec nor an object with \"spec\"");
  LATHE_TRY(const KernelSpec spec, parse_spec(line["spec"].dump(), where));
  std::optional<Target> target;
  if (line.contains("target")) {
    LATHE_TRY(target, target_from(line["target"], where));
  }
  add(manifest, spec, target);
  return {};
}

Result<Manifest> parse_lines(std::string_view text, const std::string& name) {
  Manifest manifest;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const bool is_torn = end == std::string_view::npos;
    const std::string_view content = text.substr(0, end);
    text = is_torn ? std::string_view{} : text.substr(end + 1);
    if (content.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const json line = json::parse(content, nullptr, false);
    // A program that was killed while it recorded; everything before is sound.
    if (line.is_discarded() && is_torn && !manifest.items.empty()) break;
    LATHE_CHECK(parse_line(line, fmt::format("{}:{}", name, number), manifest));
  }
  return manifest;
}

}  // namespace

Result<Manifest> parse_manifest(const std::string& text, const std::string& name) {
  const json whole = json::parse(text, nullptr, false);
  const bool is_manifest = whole.is_object() && !whole.contains("op") && !whole.contains("spec");
  LATHE_TRY(Manifest manifest, is_manifest ? parse_object(whole, name) : parse_lines(text, name));
  if (manifest.items.empty()) return bad(name, "there are no specs in it");
  return manifest;
}

Result<Manifest> read_manifest(const std::string& path) {
  LATHE_TRY(const std::string text, read_file(path));
  return parse_manifest(text, path == "-" ? "standard input" : path);
}

}  // namespace lathe::tools
