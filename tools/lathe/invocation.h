// Invocation: what every command is given.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <CLI/App.hpp>
#include <nlohmann/json_fwd.hpp>

#include <lathe/options.h>
#include <lathe/runtime.h>

#include "tools/lathe/console.h"
#include "tools/lathe/environment.h"
#include "tools/lathe/exit_code.h"

namespace lathe::tools {

/// The options that all commands share.
struct Globals {
  std::string cache_dir;  ///< empty: the default place
  bool json = false;
  bool verbose = false;
};

class Invocation {
 public:
  Invocation(Console& console, Globals globals, EnvironmentLookup environment)
      : console_(console), globals_(std::move(globals)), environment_(std::move(environment)) {}

  Console& console() const { return console_; }
  bool json() const { return globals_.json; }
  bool verbose() const { return globals_.verbose; }
  const EnvironmentLookup& environment() const { return environment_; }

  /// Where kernels are kept; empty when there is no place.
  std::string cache_dir() const { return cache_directory(globals_.cache_dir, environment_); }

  /// Options of a Runtime with the cache directory set, and with events told on stderr if that was asked for.
  /// The result refers to the console.
  Options options() const;

  /// Runtime::open, and then tell_warnings.
  Result<Runtime> open(const Options& options) const;

  /// What a Runtime has to say about its cache, on stderr; each warning once.
  void tell_warnings(const Runtime& runtime) const;

  /// One JSON value on one line of the result.
  void print_json(const nlohmann::ordered_json& value) const;

 private:
  Console& console_;
  Globals globals_;
  EnvironmentLookup environment_;
};

/// What a command line asks for. It runs after all of the command line was found to be right.
using Action = std::function<Result<ExitCode>(const Invocation&)>;

/// Target::parse, but `sm_90a` is short for `cuda:sm_90a`.
Result<Target> parse_target(std::string_view text);

/// A target as tables and progress show it: a CPU's dozens of features are left out, with dots in their
/// place.
std::string short_target(std::string_view text);

/// Replaces `native` by the machine's own architecture. Errors: device_missing.
Result<Target> expand_target(const Invocation& invocation, const Target& target);

// One per command: adds it to `app`. Its callback stores what to do in `selected`, which outlives `app`.
void add_demo(CLI::App& app, Action& selected);
void add_run(CLI::App& app, Action& selected);
void add_spec(CLI::App& app, Action& selected);
void add_plan(CLI::App& app, Action& selected);
void add_precompile(CLI::App& app, Action& selected);
void add_warm(CLI::App& app, Action& selected);
void add_bench(CLI::App& app, Action& selected);
void add_cache(CLI::App& app, Action& selected);
void add_doctor(CLI::App& app, Action& selected);

}  // namespace lathe::tools
