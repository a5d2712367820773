#include "runtime/options_json.h"

#include <string>

#include <nlohmann/json.hpp>

#include "runtime/base/try.h"

namespace lathe::runtime {

namespace {

using nlohmann::json;

Error bad(const std::string& message) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::api,
          .message = "options: " + message,
          .hint = "lathe/c.h lists the members"};
}

Result<Mode> mode_from(const std::string& text) {
  if (text == "compile") return Mode::compile;
  if (text == "frozen") return Mode::frozen;
  if (text == "record") return Mode::record;
  return bad("mode is \"" + text + "\", expected compile, frozen or record");
}

Result<EmulatorCheck> emulator_check_from(const std::string& text) {
  for (const EmulatorCheck check : {EmulatorCheck::bounds, EmulatorCheck::values, EmulatorCheck::races}) {
    if (text == name_of(check)) return check;
  }
  return bad("emulator_check is \"" + text + "\", expected bounds, values or races");
}

/// Throws json::type_error for a wrong type.
Result<void> set(Options& options, const std::string& name, const json& value) {
  if (name == "target") {
    LATHE_TRY(options.target, Target::parse(value.get<std::string>()));
  } else if (name == "device") {
    options.device = value.get<int>();
  } else if (name == "cache_dir") {
    options.cache_dir = value.get<std::string>();
  } else if (name == "read_only_cache_dirs") {
    options.read_only_cache_dirs = value.get<std::string>();
  } else if (name == "disk_cache") {
    options.disk_cache = value.get<bool>();
  } else if (name == "mode") {
    LATHE_TRY(options.mode, mode_from(value.get<std::string>()));
  } else if (name == "record_file") {
    options.record_file = value.get<std::string>();
  } else if (name == "nvrtc_path") {
    options.nvrtc_path = value.get<std::string>();
  } else if (name == "template_dir") {
    options.template_dir = value.get<std::string>();
  } else if (name == "lock_timeout_ms") {
    options.lock_timeout = std::chrono::milliseconds(value.get<std::int64_t>());
  } else if (name == "emulator_check") {
    LATHE_TRY(options.emulator_check, emulator_check_from(value.get<std::string>()));
  } else if (name == "emulator_seed") {
    options.emulator_seed = value.get<std::uint64_t>();
  } else if (name == "compile_threads") {
    options.compile_threads = value.get<int>();
  } else {
    return bad("\"" + name + "\" is not an option");
  }
  return {};
}

}  // namespace

Result<Options> options_from_json(std::string_view text) {
  const json parsed = json::parse(text, nullptr, false);
  if (!parsed.is_object()) return bad("not a JSON object");
  Options options;
  for (const auto& [name, value] : parsed.items()) {
    try {
      LATHE_CHECK(set(options, name, value));
    } catch (const json::exception&) {
      return bad("\"" + name + "\" is " + value.dump() + ", which is of the wrong type");
    }
  }
  return options;
}

}  // namespace lathe::runtime
