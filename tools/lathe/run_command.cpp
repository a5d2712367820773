// lathe run: one kernel on arrays from files, so that anyone can check it against a reference of their own.
#include <algorithm>
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "codegen/canonical.h"
#include "codegen/spec_json.h"
#include "runtime/base/try.h"
#include "tools/lathe/attention_launch.h"
#include "tools/lathe/invocation.h"
#include "tools/lathe/launch_arguments.h"
#include "tools/lathe/profile_report.h"
#include "tools/lathe/spec_source.h"

namespace lathe::tools {

namespace {

using nlohmann::ordered_json;
using Assignments = std::map<std::string, std::string>;

struct RunArguments {
  std::string spec;
  std::string target;
  std::string check;
  std::optional<std::uint64_t> seed;
  bool profile = false;
  std::vector<std::string> inputs;
  std::vector<std::string> scalars;
  std::vector<std::string> outputs;
  int repeat = 1;
  bool dry_run = false;
};

struct Timing {
  double median_ms = 0;
  double min_ms = 0;
};

Error bad(std::string message, std::string hint) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::api,
          .message = std::move(message),
          .hint = std::move(hint)};
}

/// "x=x.npy" -> {"x", "x.npy"}.
Result<Assignments> parse_assignments(std::string_view option, const std::vector<std::string>& texts) {
  Assignments assignments;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == text.size()) {
      return bad(fmt::format("{} {}: expected NAME=VALUE", option, text),
                 fmt::format("for example {} x=x.npy", option));
    }
    if (!assignments.emplace(text.substr(0, equals), text.substr(equals + 1)).second) {
      return bad(fmt::format("{} {}: {} is given twice", option, text, text.substr(0, equals)),
                 "give it once");
    }
  }
  return assignments;
}

Result<GivenArguments> read_inputs(const Invocation& invocation, const RunArguments& arguments) {
  LATHE_TRY(const Assignments files, parse_assignments("--in", arguments.inputs));
  GivenArguments given;
  LATHE_TRY(given.scalars, parse_assignments("--set", arguments.scalars));
  for (const auto& [name, path] : files) {
    LATHE_TRY(NpyArray array, read_npy(path));
    if (array.type == NpyType::f8) {
      invocation.console().note(
          fmt::format("note: {} is float64 and is rounded once, to the tensor's dtype", name));
    }
    given.inputs.emplace(name, std::move(array));
  }
  return given;
}

/// Before anything is compiled: a wrong name should not cost a compile.
Result<Assignments> parse_outputs(const LaunchArguments& launch, const RunArguments& arguments) {
  LATHE_TRY(Assignments outputs, parse_assignments("--out", arguments.outputs));
  for (const auto& [name, path] : outputs) {
    LATHE_CHECK(launch.check_output(name));
  }
  return outputs;
}

Result<Timing> launch_repeatedly(Runtime& runtime, const Kernel& kernel, const LaunchArguments& launch,
                                 int repeat) {
  const auto work = [&] {
    return kernel.launch_bytes(launch.bytes().data(), launch.bytes().size(), Stream{});
  };
  // One launch is timed as it comes; of several, the first one warms the machine and is not counted.
  if (repeat > 1) {
    LATHE_CHECK(work());
  }
  std::vector<double> times;
  for (int i = 0; i < repeat; ++i) {
    LATHE_TRY(const double ms, runtime.time_ms(Stream{}, work));
    times.push_back(ms);
  }
  LATHE_CHECK(runtime.synchronize(Stream{}));
  std::sort(times.begin(), times.end());
  return Timing{.median_ms = times[times.size() / 2], .min_ms = times.front()};
}

/// --check, --seed and --profile mean something to the emulator alone.
Result<void> set_emulator_options(Options& options, const RunArguments& arguments,
                                  std::shared_ptr<LaunchProfile>& profile) {
  const bool is_emulated = options.target && options.target->backend == Backend::emulate;
  const bool is_asked = !arguments.check.empty() || arguments.seed || arguments.profile;
  if (is_asked && !is_emulated) {
    return bad("--check, --seed and --profile are for the emulator", "add --target emulate:sm_90a");
  }
  for (const EmulatorCheck check : {EmulatorCheck::bounds, EmulatorCheck::values, EmulatorCheck::races}) {
    if (arguments.check == name_of(check)) options.emulator_check = check;
  }
  options.emulator_seed = arguments.seed;
  if (arguments.profile) {
    profile = std::make_shared<LaunchProfile>();
    options.on_launch_profile = [profile](const LaunchProfile& launch) { *profile = launch; };
  }
  return {};
}

void print_result(const Invocation& invocation, const Kernel& kernel, const RunArguments& arguments,
                  const Timing& timing, const ordered_json& outputs, const LaunchProfile* profile) {
  if (invocation.json()) {
    ordered_json result({{"version", 1},
                         {"spec", ordered_json::parse(codegen::spec_to_json(kernel.spec()))},
                         {"target", kernel.target().text()},
                         {"key", kernel.key()},
                         {"launches", arguments.repeat},
                         {"median_ms", timing.median_ms},
                         {"min_ms", timing.min_ms},
                         {"outputs", outputs}});
    if (profile != nullptr) result["profile"] = profile_json(*profile);
    invocation.print_json(result);
    return;
  }
  std::string line =
      fmt::format("{} on {}: ", short_name(kernel.spec()), short_target(kernel.target().text()));
  line += arguments.repeat > 1 ? fmt::format("median {:.4f} ms, min {:.4f} ms of {} launches",
                                             timing.median_ms, timing.min_ms, arguments.repeat)
                               : fmt::format("{:.4f} ms", timing.median_ms);
  for (const auto& [name, output] : outputs.items()) {
    line += fmt::format("; {} {} -> {}", name, output["shape"].dump(), output["file"].get<std::string>());
  }
  invocation.console().print(line);
  if (profile != nullptr) print_profile(invocation.console(), *profile);
}

Result<ExitCode> run_run(const Invocation& invocation, const RunArguments& arguments) {
  LATHE_TRY(const KernelSpec spec, read_spec(arguments.spec));
  LATHE_TRY(GivenArguments given, read_inputs(invocation, arguments));
  LATHE_TRY(auto attention, AttentionLaunch::take(spec, given));
  LATHE_TRY(LaunchArguments launch, LaunchArguments::make(spec, given));
  LATHE_TRY(const Assignments files, parse_outputs(launch, arguments));
  Options options = invocation.options();
  if (!arguments.target.empty()) {
    LATHE_TRY(options.target, parse_target(arguments.target));
  }
  std::shared_ptr<LaunchProfile> profile;
  LATHE_CHECK(set_emulator_options(options, arguments, profile));
  LATHE_TRY(Runtime runtime, invocation.open(std::move(options)));
  if (arguments.dry_run) {
    invocation.console().print(
        fmt::format("would run {} on {}", codegen::canonical_text(spec), runtime.target().text()));
    return ExitCode::ok;
  }
  LATHE_TRY(const Kernel kernel, runtime.get_kernel(spec));
  LATHE_CHECK(launch.upload(runtime, kernel));
  if (attention) LATHE_CHECK(attention->upload(runtime, kernel, launch));
  LATHE_TRY(const Timing timing, launch_repeatedly(runtime, kernel, launch, arguments.repeat));
  ordered_json outputs = ordered_json::object();
  for (const auto& [name, path] : files) {
    LATHE_TRY(const NpyArray array, launch.download(runtime, name));
    LATHE_CHECK(write_npy(path, array));
    outputs[name] = {{"shape", array.shape}, {"dtype", numpy_name_of(array.type)}, {"file", path}};
  }
  invocation.tell_warnings(runtime);
  print_result(invocation, kernel, arguments, timing, outputs, profile.get());
  return ExitCode::ok;
}

}  // namespace

void add_run(CLI::App& app, Action& selected) {
  CLI::App* command = app.add_subcommand("run", "Run one kernel on .npy arrays");
  auto arguments = std::make_shared<RunArguments>();
  command->add_option("SPEC", arguments->spec, "A spec as JSON, a file of it, or - for standard input")
      ->required()
      ->type_name("");
  command
      ->add_option("--target", arguments->target,
                   "cpu, cuda or emulate[:ARCH]; default: the GPU if there is one")
      ->type_name("TARGET");
  command
      ->add_option("--check", arguments->check,
                   "What the emulator looks for: bounds, values (and bounds), races (and both; default)")
      ->check(CLI::IsMember({"bounds", "values", "races"}))
      ->type_name("LEVEL");
  command
      ->add_option("--seed", arguments->seed,
                   "Emulator: run warps in an order drawn from this, to shake out missing barriers")
      ->type_name("N");
  command->add_flag("--profile", arguments->profile, "Emulator: count instructions, bytes and conflicts");
  const auto add_list = [&](const char* name, std::vector<std::string>& to, const char* text,
                            const char* type) {
    command->add_option(name, to, text)->allow_extra_args(false)->type_name(type);
  };
  add_list("--in", arguments->inputs, "An input tensor; float arrays are rounded to its dtype", "NAME=FILE");
  add_list("--set", arguments->scalars, "A scalar; counts and strides may be left out", "NAME=VALUE");
  add_list("--out", arguments->outputs, "Where to write an output tensor", "NAME=FILE");
  command->add_option("--repeat", arguments->repeat, "Launches to time")
      ->check(CLI::Range(1, 1'000'000))
      ->type_name("N");
  command->add_flag("--dry-run", arguments->dry_run, "Check everything, run and write nothing");
  command->callback([&selected, arguments] {
    selected = [arguments](const Invocation& invocation) { return run_run(invocation, *arguments); };
  });
}

}  // namespace lathe::tools
