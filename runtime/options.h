// Options with nothing left open: defaults and environment filled in.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/error.h>
#include <lathe/options.h>

namespace lathe::runtime {

struct ResolvedOptions {
  std::optional<Target> target;  ///< empty: the best device present
  int device = 0;
  bool disk_cache = true;
  std::string cache_dir;  ///< empty: there is no home directory either; the disk is not used
  std::vector<std::string> read_only_cache_dirs;
  Mode mode = Mode::compile;
  std::string record_file;
  std::string nvrtc_path;    ///< empty: the usual places
  std::string template_dir;  ///< empty: those built in
  std::chrono::milliseconds lock_timeout{0};
  std::size_t memory_cache_bytes = 0;
  int compile_threads = 1;
  EmulatorCheck emulator_check = EmulatorCheck::races;
  std::optional<std::uint64_t> emulator_seed;  ///< empty: no random order
  std::function<void(const LaunchProfile&)> on_launch_profile;
  std::function<void(const Event&)> on_event;
};

using EnvironmentLookup = std::function<std::optional<std::string>(const char* name)>;

/// The process's environment; nothing for a set-uid program, which must not take paths from its caller.
EnvironmentLookup process_environment();

/// Given options first, then the environment, then defaults. Errors: invalid_argument naming the option or
/// variable.
Result<ResolvedOptions> resolve(const Options& options, const EnvironmentLookup& environment);

}  // namespace lathe::runtime
