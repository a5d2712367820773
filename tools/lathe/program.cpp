#include "tools/lathe/program.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <lathe/version.h>

#include "codegen/edit_distance.h"
#include "tools/lathe/invocation.h"

namespace lathe::tools {

namespace {

Error usage_error(std::string message, std::string hint) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::api,
          .message = std::move(message),
          .hint = std::move(hint)};
}

/// "lathe cache ls" for the innermost command that was given.
std::string command_of(const CLI::App& app) {
  std::string command = "lathe";
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    command += " " + at->get_name();
  }
  return command;
}

/// What stands on the command line and nobody knows, with what was perhaps meant.
Error unknown_argument(const CLI::App& app, const std::string& given) {
  std::vector<std::string> names;
  std::vector<const CLI::App*> levels{&app};
  while (!levels.back()->get_subcommands().empty()) {
    levels.push_back(levels.back()->get_subcommands().front());
  }
  const bool is_option = given.starts_with('-');
  for (const CLI::App* level : levels) {
    for (const CLI::Option* option : level->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  if (!is_option) {
    names.clear();
    for (const CLI::App* command : levels.back()->get_subcommands({})) names.push_back(command->get_name());
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  const std::string_view name = std::string_view(given).substr(0, given.find('='));
  const std::string_view what = is_option ? "option" : known.empty() ? "argument" : "command";
  return usage_error(fmt::format("unknown {} {}{}", what, given, codegen::did_you_mean(name, known)),
                     fmt::format("see {} --help", command_of(app)));
}

/// What is wrong with the command line as a whole, once CLI11 has read it.
std::optional<Error> check_arguments(const CLI::App& app, const Action& selected) {
  if (const auto unknown = app.remaining(true); !unknown.empty()) {
    return unknown_argument(app, unknown.front());
  }
  if (selected) return std::nullopt;
  return usage_error(fmt::format("{}: a command is missing", command_of(app)),
                     fmt::format("see {} --help", command_of(app)));
}

void add_globals(CLI::App& app, Globals& globals) {
  app.add_option(
         "--cache-dir", globals.cache_dir,
         "Directory of compiled kernels; default $LATHE_CACHE_DIR, $XDG_CACHE_HOME/lathe, ~/.cache/lathe")
      ->type_name("DIR");
  app.add_flag("--json", globals.json, "Results as JSON on stdout");
  app.add_flag("-v,--verbose", globals.verbose, "Tell on stderr what happens inside");
  app.set_version_flag("--version", "lathe " LATHE_VERSION);
}

void add_commands(CLI::App& app, Action& selected) {
  add_demo(app, selected);
  add_run(app, selected);
  add_spec(app, selected);
  add_plan(app, selected);
  add_precompile(app, selected);
  add_warm(app, selected);
  add_bench(app, selected);
  add_cache(app, selected);
  add_doctor(app, selected);
}

int finish(Result<ExitCode> result, Console& console) {
  ExitCode code = ExitCode::ok;
  if (result) {
    code = *result;
  } else {
    console.report(result.error());
    code = exit_code_of(result.error());
  }
  if (!console.flush()) {
    console.report(usage_error("the results could not be written to standard output", "is the disk full?"));
    if (code == ExitCode::ok) code = ExitCode::usage;
  }
  return static_cast<int>(code);
}

}  // namespace

int run_program(const std::vector<std::string>& arguments, Console& console,
                const EnvironmentLookup& environment) {
  Globals globals;
  Action selected;
  CLI::App app("Lathe turns kernel specs into running kernels, and keeps them.", "lathe");
  app.fallthrough();             // global options may stand after the command
  app.allow_extras();            // so that what is unknown gets our message, not CLI11's
  app.require_subcommand(0, 1);  // so that `bench cache` names a benchmark, not another command
  app.footer(
      "Exit status: 0 ok, 1 wrong usage, 2 some specs failed, 3 something missing, damaged or wrong, 4 "
      "cache\n"
      "unusable, 5 compiler or device missing, 130 interrupted.");
  add_globals(app, globals);
  add_commands(app, selected);
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants them
    app.parse(std::move(reversed));
  } catch (const CLI::Success& wanted) {  // --help and --version
    console.print(dynamic_cast<const CLI::CallForVersion*>(&wanted) != nullptr ? wanted.what() : app.help());
    return finish(ExitCode::ok, console);
  } catch (const CLI::ParseError& failure) {
    return finish(usage_error(failure.what(), fmt::format("see {} --help", command_of(app))), console);
  }
  if (auto error = check_arguments(app, selected)) return finish(*std::move(error), console);
  return finish(selected(Invocation(console, globals, environment)), console);
}

}  // namespace lathe::tools
