#include "tools/lathe/invocation.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runtime/base/try.h"

namespace lathe::tools {

namespace {

/// The line of an event's message that says which kernel it is: of a key text, the one after its title.
std::string first_line_of(std::string_view message) {
  const std::size_t title = message.find('\n');
  if (title == std::string_view::npos) return std::string(message);
  message.remove_prefix(title + 1);
  return std::string(message.substr(0, message.find('\n')));
}

}  // namespace

Options Invocation::options() const {
  Options options;
  if (const std::string directory = cache_dir(); !directory.empty()) options.cache_dir = directory;
  if (globals_.verbose) {
    options.on_event = [&console = console_](const Event& event) {
      const double ms = std::chrono::duration<double, std::milli>(event.duration).count();
      const std::string message = first_line_of(event.message);
      console.note(fmt::format("{} {} {:.3f} ms {}", name_of(event.kind), event.key, ms, message));
    };
  }
  return options;
}

Result<Runtime> Invocation::open(const Options& options) const {
  LATHE_TRY(Runtime runtime, Runtime::open(options));
  tell_warnings(runtime);
  return runtime;
}

void Invocation::tell_warnings(const Runtime& runtime) const {
  for (const std::string& warning : runtime.stats().warnings) console_.warn(warning);
}

void Invocation::print_json(const nlohmann::ordered_json& value) const {
  // File names and compiler logs may hold bytes that are not UTF-8.
  console_.print(value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

Result<Target> parse_target(std::string_view text) {
  if (text.starts_with("sm_")) return Target::parse(fmt::format("cuda:{}", text));
  return Target::parse(text);
}

std::string short_target(std::string_view text) {
  const std::size_t features = text.find('+');
  return features == std::string_view::npos ? std::string(text)
                                            : std::string(text.substr(0, features)) + "+...";
}

Result<Target> expand_target(const Invocation& invocation, const Target& target) {
  if (!target.is_native()) return target;
  Options options = invocation.options();
  options.target = target;
  LATHE_TRY(const Runtime runtime, invocation.open(std::move(options)));
  return runtime.target();
}

}  // namespace lathe::tools
