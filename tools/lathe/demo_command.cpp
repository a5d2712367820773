// lathe demo: the norms of a real model, compiled for several GPUs and run on what is here.
#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "codegen/op.h"
#include "runtime/base/try.h"
#include "tools/lathe/interrupt.h"
#include "tools/lathe/invocation.h"
#include "tools/lathe/norm_workload.h"
#include "tools/lathe/spec_source.h"
#include "tools/lathe/table.h"
#include "tools/models/model_plan.h"
#include "tools/models/shipped_configs.h"

namespace lathe::tools {

namespace {

using nlohmann::ordered_json;

constexpr std::array kArchs{"sm_80", "sm_90a", "sm_100"};
constexpr std::int64_t kRows = 4096;
constexpr int kLaunches = 20;

struct Measured {
  double device_ms = 0;
  double gb_per_s = 0;
  RmsNormCheck check;
};

/// One line of the table.
struct DemoRow {
  PrecompileItem item;
  PrecompileOutcome first;   ///< compiled, or found in the cache
  PrecompileOutcome second;  ///< looked up by a runtime that has nothing in memory
  std::optional<Measured> measured;
};

double milliseconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

/// Every norm of the model for every target; this machine's own comes last, unless it is among the others.
Result<std::vector<DemoRow>> rows_of(const models::ModelPlan& plan, const Runtime& runtime) {
  std::vector<Target> targets;
  for (const char* arch : kArchs) targets.push_back({.backend = Backend::cuda, .arch = arch});
  const bool is_known = std::find(targets.begin(), targets.end(), runtime.target()) != targets.end();
  if (runtime.has_device() && !is_known) targets.push_back(runtime.target());
  std::vector<DemoRow> rows;
  for (const Target& target : targets) {
    for (const models::KernelUse& use : plan.uses) {
      if (!std::holds_alternative<RmsNormSpec>(use.spec)) continue;
      LATHE_TRY(const KernelSpec spec, codegen::op_of(use.spec).normalize(use.spec));
      rows.push_back({.item = {spec, target}, .first = {}, .second = {}, .measured = {}});
    }
  }
  return rows;
}

std::vector<PrecompileItem> items_of(const std::vector<DemoRow>& rows) {
  std::vector<PrecompileItem> items;
  for (const DemoRow& row : rows) items.push_back(row.item);
  return items;
}

Result<Measured> measure(Runtime& runtime, const KernelSpec& spec, double epsilon) {
  LATHE_TRY(const Kernel kernel, runtime.get_kernel(spec));
  LATHE_TRY(const NormWorkload work,
            NormWorkload::make(runtime, std::get<RmsNormSpec>(spec), kRows, epsilon));
  LATHE_CHECK(work.launch(kernel));  // the first one warms caches and clocks
  std::vector<double> times;
  for (int i = 0; i < kLaunches; ++i) {
    LATHE_TRY(const double ms, runtime.time_ms(Stream{}, [&] { return work.launch(kernel); }));
    times.push_back(ms);
  }
  LATHE_CHECK(runtime.synchronize(Stream{}));
  Measured measured;
  measured.device_ms = median_of(times);
  measured.gb_per_s = static_cast<double>(work.traffic_bytes()) / measured.device_ms / 1e6;
  LATHE_TRY(measured.check, work.check(runtime));
  return measured;
}

void print_row(const Invocation& invocation, Table& table, const DemoRow& row) {
  const bool is_there = !row.first.error;
  if (invocation.json()) {
    ordered_json line{{"kernel", short_name(row.item.spec)}, {"target", row.item.target.text()}};
    if (is_there) {
      line["was_cached"] = row.first.was_cached;
      line["cold_ms"] = milliseconds(row.first.compile_time);
      line["cached_ms"] =
          row.second.was_cached ? ordered_json(milliseconds(row.second.duration)) : ordered_json(nullptr);
    } else {
      line["error"] = row.first.error->message;
    }
    if (row.measured) {
      line["device_ms"] = row.measured->device_ms;
      line["gb_per_s"] = row.measured->gb_per_s;
      line["max_error"] = row.measured->check.max_error;
      line["error_limit"] = row.measured->check.limit;
    }
    invocation.print_json(line);
    return;
  }
  table.add({short_name(row.item.spec), short_target(row.item.target.text()),
             is_there ? fmt::format("{:.1f}", milliseconds(row.first.compile_time)) : "-",
             !is_there              ? "no"
             : row.first.was_cached ? "before"
                                    : "now",
             row.second.was_cached ? fmt::format("{:.3f}", milliseconds(row.second.duration)) : "-",
             row.measured ? fmt::format("{:.1f} us", 1e3 * row.measured->device_ms) : "-",
             row.measured ? fmt::format("{:.1f} GB/s", row.measured->gb_per_s) : "-",
             row.measured ? fmt::format("{:.1e}", row.measured->check.max_error) : "-",
             row.measured ? fmt::format("{:.1e}", row.measured->check.limit) : "-"});
}

void print_rows(const Invocation& invocation, const std::vector<DemoRow>& rows) {
  Table table({{"kernel"},
               {"target"},
               {"cold ms", true},
               {"compiled"},
               {"cached ms", true},
               {"device time", true},
               {"bandwidth", true},
               {"max error", true},
               {"limit", true}});
  for (const DemoRow& row : rows) print_row(invocation, table, row);
  if (!invocation.json()) invocation.console().print(table.text());
  std::string said;
  for (const DemoRow& row : rows) {
    // Several targets without NVRTC fail for one reason, and there is one thing to do about it.
    if (!row.first.error || row.first.error->hint == said) continue;
    said = row.first.error->hint;
    invocation.console().warn(
        fmt::format("{}: {}; {}", row.item.target.text(), row.first.error->message, said));
  }
}

void print_summary(const Invocation& invocation, const Runtime& runtime, const std::vector<DemoRow>& rows) {
  std::size_t compiled = 0;
  std::size_t cached = 0;
  for (const DemoRow& row : rows) {
    if (row.first.error) continue;
    row.first.was_cached ? ++cached : ++compiled;
  }
  const DeviceInfo device = runtime.device();
  const std::string where = runtime.has_device() ? device.name : "no device: nothing was run";
  if (invocation.json()) {
    invocation.print_json(
        {{"version", 1}, {"compiled", compiled}, {"from_cache", cached}, {"device", where}, {"rows", kRows}});
    return;
  }
  invocation.console().print(
      fmt::format("\n{} compiled, {} from cache ({}). Run on {}: {} rows, median of {} launches.", compiled,
                  cached, invocation.cache_dir().empty() ? "no cache directory" : invocation.cache_dir(),
                  where, kRows, kLaunches));
  invocation.console().print(
      "cold: the compile, now or when the cached kernel was made. cached: look-up by a new runtime. max "
      "error: "
      "largest |y - exact| / |exact|, double precision.");
}

Result<ExitCode> run_demo(const Invocation& invocation) {
  LATHE_TRY(const auto config, models::parse_config(models::llama_3_1_8b_config(), "llama-3.1-8b.json"));
  LATHE_TRY(const models::ModelPlan plan, models::plan_model(config));
  std::atomic<bool> stop{false};
  const Interrupt interrupt(stop);
  Options options = invocation.options();
  options.compile_threads =
      1;  // so that each compile has the machine to itself, and its time means something
  LATHE_TRY(Runtime runtime, invocation.open(options));
  LATHE_TRY(std::vector<DemoRow> rows, rows_of(plan, runtime));
  const std::vector<PrecompileItem> items = items_of(rows);
  invocation.console().note(fmt::format("Llama 3.1 8B: {} norm kernels for {} targets", plan.uses.size(),
                                        rows.size() / plan.uses.size()));
  const auto first = runtime.precompile(items, {}, &stop);
  if (stop) return ExitCode::interrupted;
  LATHE_TRY(Runtime fresh, Runtime::open(options));
  // Those that failed once are not tried again: without NVRTC that would only search for it anew.
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].first = first[i];
    if (!first[i].error) rows[i].second = fresh.precompile(std::span(items).subspan(i, 1), {}, &stop).front();
    const bool is_ours = runtime.has_device() && rows[i].item.target == runtime.target() && !first[i].error;
    if (stop) return ExitCode::interrupted;
    if (!is_ours) continue;
    LATHE_TRY(rows[i].measured, measure(runtime, rows[i].item.spec, plan.epsilon));
  }
  print_rows(invocation, rows);
  print_summary(invocation, runtime, rows);
  invocation.tell_warnings(runtime);
  if (std::all_of(rows.begin(), rows.end(), [](const DemoRow& row) { return row.first.error.has_value(); })) {
    return ExitCode::toolchain;
  }
  const bool all_good = std::all_of(rows.begin(), rows.end(), [](const DemoRow& row) {
    return !row.measured || row.measured->check.is_good();
  });
  if (!all_good) invocation.console().warn("a result is wrong: its error is above the limit");
  return all_good ? ExitCode::ok : ExitCode::incomplete;
}

}  // namespace

void add_demo(CLI::App& app, Action& selected) {
  app.add_subcommand("demo", "Compile, run and check the norms of Llama 3.1 8B")->callback([&selected] {
    selected = run_demo;
  });
}

}  // namespace lathe::tools
