#include "runtime/options.h"

#include <charconv>
#include <cstdlib>

#include <fmt/format.h>

#include "runtime/base/parallelism.h"
#include "runtime/base/try.h"

namespace lathe::runtime {

namespace {

Error bad(const std::string& message, const std::string& hint) {
  return {.code = ErrorCode::invalid_argument, .stage = Stage::api, .message = message, .hint = hint};
}

/// A variable that is set but empty counts as unset.
std::optional<std::string> variable(const EnvironmentLookup& environment, const char* name) {
  auto value = environment(name);
  return value && !value->empty() ? value : std::nullopt;
}

std::string text_option(const std::optional<std::string>& given, const EnvironmentLookup& environment,
                        const char* name) {
  if (given) return *given;
  return variable(environment, name).value_or("");
}

std::vector<std::string> split_at_colons(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    if (colon != 0) parts.emplace_back(text.substr(0, colon));
    text = colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
  }
  return parts;
}

std::string default_cache_dir(const EnvironmentLookup& environment) {
  // The XDG specification says to ignore relative paths.
  if (const auto xdg = variable(environment, "XDG_CACHE_HOME"); xdg && xdg->front() == '/')
    return *xdg + "/lathe";
  if (const auto home = variable(environment, "HOME"); home && home->front() == '/')
    return *home + "/.cache/lathe";
  return {};
}

Result<Mode> mode_from(const Options& options, const EnvironmentLookup& environment) {
  if (options.mode) return *options.mode;
  const std::string text = variable(environment, "LATHE_MODE").value_or("compile");
  if (text == "compile") return Mode::compile;
  if (text == "frozen") return Mode::frozen;
  if (text == "record") return Mode::record;
  return bad(fmt::format("LATHE_MODE is \"{}\"", text), "set it to compile, frozen or record");
}

Result<bool> disk_cache_from(const Options& options, const EnvironmentLookup& environment) {
  if (options.disk_cache) return *options.disk_cache;
  const std::string text = variable(environment, "LATHE_DISK_CACHE").value_or("1");
  if (text == "0" || text == "1") return text == "1";
  return bad(fmt::format("LATHE_DISK_CACHE is \"{}\"", text), "set it to 0 or 1");
}

Result<std::optional<Target>> target_from(const Options& options, const EnvironmentLookup& environment) {
  if (options.target) return options.target;
  const auto text = variable(environment, "LATHE_TARGET");
  if (!text) return std::optional<Target>{};
  auto target = Target::parse(*text);
  if (!target) return bad("LATHE_TARGET: " + target.error().message, target.error().hint);
  return std::optional(*std::move(target));
}

Result<EmulatorCheck> emulator_check_from(const Options& options, const EnvironmentLookup& environment) {
  if (options.emulator_check) return *options.emulator_check;
  const std::string text = variable(environment, "LATHE_EMULATOR_CHECK").value_or("races");
  for (const EmulatorCheck check : {EmulatorCheck::bounds, EmulatorCheck::values, EmulatorCheck::races}) {
    if (text == name_of(check)) return check;
  }
  return bad(fmt::format("LATHE_EMULATOR_CHECK is \"{}\"", text), "set it to bounds, values or races");
}

Result<std::optional<std::uint64_t>> emulator_seed_from(const Options& options,
                                                        const EnvironmentLookup& environment) {
  const auto text = variable(environment, "LATHE_EMULATOR_SEED");
  if (options.emulator_seed || !text) return options.emulator_seed;
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seed);
  if (error == std::errc{} && end == text->data() + text->size()) return std::optional(seed);
  return bad(fmt::format("LATHE_EMULATOR_SEED is \"{}\"", *text), "set it to a number from 0 to 2^64 - 1");
}

}  // namespace

EnvironmentLookup process_environment() {
  return [](const char* name) -> std::optional<std::string> {
    const char* value = secure_getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

Result<ResolvedOptions> resolve(const Options& options, const EnvironmentLookup& environment) {
  ResolvedOptions resolved;
  LATHE_TRY(resolved.target, target_from(options, environment));
  LATHE_TRY(resolved.mode, mode_from(options, environment));
  LATHE_TRY(resolved.disk_cache, disk_cache_from(options, environment));
  if (options.device < 0) {
    return bad(fmt::format("device is {}", options.device), "devices are counted from 0");
  }
  resolved.device = options.device;
  resolved.cache_dir = text_option(options.cache_dir, environment, "LATHE_CACHE_DIR");
  if (resolved.cache_dir.empty()) resolved.cache_dir = default_cache_dir(environment);
  resolved.read_only_cache_dirs =
      split_at_colons(text_option(options.read_only_cache_dirs, environment, "LATHE_CACHE_READ_ONLY_DIRS"));
  resolved.record_file = text_option(options.record_file, environment, "LATHE_RECORD_FILE");
  if (resolved.mode == Mode::record && resolved.record_file.empty()) {
    return bad("the mode is record, but no file is named", "set Options::record_file or LATHE_RECORD_FILE");
  }
  resolved.nvrtc_path = text_option(options.nvrtc_path, environment, "LATHE_NVRTC");
  resolved.template_dir = text_option(options.template_dir, environment, "LATHE_TEMPLATE_DIR");
  if (options.lock_timeout.count() < 0) {
    return bad(fmt::format("lock_timeout is {} ms", options.lock_timeout.count()), "0 means not to wait");
  }
  resolved.lock_timeout = options.lock_timeout;
  resolved.memory_cache_bytes = options.memory_cache_bytes;
  if (options.compile_threads < 0) {
    return bad(fmt::format("compile_threads is {}", options.compile_threads),
               "0 means as many as make sense");
  }
  resolved.compile_threads =
      options.compile_threads > 0 ? options.compile_threads : base::compile_parallelism();
  LATHE_TRY(resolved.emulator_check, emulator_check_from(options, environment));
  LATHE_TRY(resolved.emulator_seed, emulator_seed_from(options, environment));
  resolved.on_launch_profile = options.on_launch_profile;
  resolved.on_event = options.on_event;
  return resolved;
}

}  // namespace lathe::runtime
