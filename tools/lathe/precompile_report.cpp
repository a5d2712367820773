#include "tools/lathe/precompile_report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "codegen/spec_json.h"
#include "tools/lathe/spec_source.h"

namespace lathe::tools {

using nlohmann::ordered_json;

namespace {

double milliseconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

bool has_spills(const ResourceUse& use) {
  return use.spill_store_bytes > 0 || use.spill_load_bytes > 0;
}

/// A single-quoted word of a shell.
std::string shell_word(std::string_view text) {
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

}  // namespace

std::string precompile_label(const PrecompileItem& item) {
  return fmt::format("{} {}", short_target(item.target.text()), short_name(item.spec));
}

PrecompileReport::PrecompileReport(const Invocation& invocation, std::span<const PrecompileItem> items,
                                   std::string directory)
    : invocation_(invocation),
      items_(items),
      directory_(std::move(directory)),
      progress_(invocation.console(), items.size()) {}

void PrecompileReport::add(const PrecompileOutcome& outcome) {
  const PrecompileItem& item = items_[outcome.index];
  std::string what = "cached";
  if (outcome.error) {
    what = "FAILED";
    ++failed_;
    missing_toolchain_ += outcome.error->code == ErrorCode::toolchain_missing ? 1 : 0;
  } else if (outcome.was_cached) {
    ++cached_;
  } else {
    ++compiled_;
    what = fmt::format("{:.0f} ms", milliseconds(outcome.duration));
  }
  if (has_spills(outcome.resources)) {
    ++spilled_;
    what += fmt::format(", spills {} bytes",
                        outcome.resources.spill_store_bytes + outcome.resources.spill_load_bytes);
  }
  progress_.step(fmt::format("{}: {}", precompile_label(item), what), outcome.error.has_value());
  if (outcome.error) tell_failure(item, *outcome.error);
  if (invocation_.json()) invocation_.print_json(as_json(outcome));
}

void PrecompileReport::finish(std::size_t not_begun, std::chrono::duration<double> elapsed) const {
  if (invocation_.json()) {
    invocation_.print_json({{"version", 1},
                            {"kernels", items_.size()},
                            {"compiled", compiled_},
                            {"cached", cached_},
                            {"failed", failed_},
                            {"not_begun", not_begun},
                            {"with_spills", spilled_},
                            {"seconds", elapsed.count()},
                            {"cache_dir", directory_}});
    return;
  }
  std::string line = fmt::format("{} kernels: {} compiled, {} from cache, {} failed", items_.size(),
                                 compiled_, cached_, failed_);
  if (not_begun > 0) line += fmt::format(", {} not begun", not_begun);
  line += fmt::format("; {} with register spills; {}; cache directory {}", spilled_, format_duration(elapsed),
                      directory_);
  invocation_.console().print(line);
}

ExitCode PrecompileReport::code() const {
  if (failed_ == 0) return ExitCode::ok;
  return failed_ == missing_toolchain_ ? ExitCode::toolchain : ExitCode::failed;
}

void PrecompileReport::tell_failure(const PrecompileItem& item, const Error& error) const {
  invocation_.console().report(error);
  invocation_.console().note(fmt::format("  repeat: lathe precompile --cache-dir {} --arch {} --spec {}",
                                         shell_word(directory_), shell_word(item.target.text()),
                                         shell_word(codegen::spec_to_json(item.spec))));
}

ordered_json PrecompileReport::as_json(const PrecompileOutcome& outcome) const {
  const PrecompileItem& item = items_[outcome.index];
  ordered_json line{{"target", item.target.text()},
                    {"spec", ordered_json::parse(codegen::spec_to_json(item.spec))},
                    {"outcome", outcome.error        ? "failed"
                                : outcome.was_cached ? "cached"
                                                     : "compiled"},
                    {"ms", milliseconds(outcome.duration)}};
  if (outcome.error) {
    line["error"] = outcome.error->message;
    return line;
  }
  line["key"] = outcome.key;
  line["compile_ms"] = milliseconds(outcome.compile_time);
  line["registers"] = outcome.resources.registers;
  line["spill_bytes"] = outcome.resources.spill_store_bytes + outcome.resources.spill_load_bytes;
  return line;
}

}  // namespace lathe::tools
