// lathe bench: the numbers that Lathe promises, measured here and now.
#include <array>
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "runtime/base/try.h"
#include "tools/lathe/bench.h"
#include "tools/lathe/interrupt.h"

namespace lathe::tools {

namespace {

struct BenchArguments {
  std::string what;
  std::string target;
};

struct Bench {
  std::string_view name;
  Result<void> (*run)(const Invocation&, const std::optional<Target>&, const std::atomic<bool>&);
};

constexpr std::array kBenches{Bench{"compile", bench_compile},
                              Bench{"cache", bench_cache},
                              Bench{"rms_norm", bench_rms_norm},
                              Bench{"rope", bench_rope},
                              Bench{"kv", bench_kv},
                              Bench{"attention", bench_attention},
                              Bench{"linear_cross_entropy", bench_linear_cross_entropy}};

Result<ExitCode> run_bench(const Invocation& invocation, const BenchArguments& arguments) {
  std::optional<Target> target;
  if (!arguments.target.empty()) {
    LATHE_TRY(target, parse_target(arguments.target));
  }
  std::atomic<bool> stop{false};
  const Interrupt interrupt(stop);
  for (const Bench& bench : kBenches) {
    if (!arguments.what.empty() && arguments.what != bench.name) continue;
    LATHE_CHECK(bench.run(invocation, target, stop));
    if (stop) return ExitCode::interrupted;
  }
  return ExitCode::ok;
}

}  // namespace

std::string line_of(const Measurement& measurement) {
  std::string line =
      fmt::format("{:<66} {:>9.2f} {:<3}", measurement.name, measurement.value, measurement.unit);
  if (measurement.limit) {
    line += fmt::format(" {:>8} {:<5} {}", measurement.higher_is_better ? "at least" : "at most",
                        *measurement.limit, measurement.is_within() ? "ok" : "over");
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

void report(const Invocation& invocation, const Measurement& measurement) {
  if (!invocation.json()) {
    invocation.console().print(line_of(measurement));
    return;
  }
  nlohmann::ordered_json line{{"name", measurement.name},
                              {"target", measurement.target},
                              {"value", measurement.value},
                              {"unit", measurement.unit}};
  if (measurement.limit) {
    line["limit"] = *measurement.limit;
    line["ok"] = measurement.is_within();
  }
  invocation.print_json(line);
}

void add_bench(CLI::App& app, Action& selected) {
  CLI::App* command = app.add_subcommand("bench", "Measure compiles, the cache and kernels");
  auto arguments = std::make_shared<BenchArguments>();
  command
      ->add_option("WHAT", arguments->what,
                   "compile, cache, rms_norm, rope, kv, attention or linear_cross_entropy; default: all")
      ->check(
          CLI::IsMember({"compile", "cache", "rms_norm", "rope", "kv", "attention", "linear_cross_entropy"}))
      ->type_name("");
  command->add_option("--target", arguments->target, "cuda or cpu; default: the GPU if there is one")
      ->type_name("TARGET");
  command->callback([&selected, arguments] {
    selected = [arguments](const Invocation& invocation) { return run_bench(invocation, *arguments); };
  });
}

}  // namespace lathe::tools
