// lathe cache show and extract: one entry.
#include <memory>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "runtime/base/try.h"
#include "tools/lathe/cache_command.h"
#include "tools/lathe/files.h"
#include "tools/lathe/table.h"

namespace lathe::tools {

namespace {

using nlohmann::ordered_json;

struct ExtractArguments {
  std::string key;
  std::string output;
  bool cubin = false;
  bool ptx = false;
  bool object = false;
  bool dry_run = false;
};

Result<ExitCode> run_show(const Invocation& invocation, const std::string& key) {
  LATHE_TRY(const auto store, open_cache(invocation));
  LATHE_TRY(const cache::Entry entry, find_entry(*store, key));
  const ordered_json metadata = ordered_json::parse(entry.metadata, nullptr, false);
  const std::string digest = cache::digest_of(entry.key_text).hex();
  if (invocation.json()) {
    ordered_json sections = ordered_json::array();
    for (const cache::Section& section : entry.sections) {
      sections.push_back({{"name", section.name}, {"bytes", section.bytes.size()}});
    }
    invocation.print_json({{"version", 1},
                           {"key", digest},
                           {"key_text", entry.key_text},
                           {"creator", entry.creator},
                           {"created_unix", entry.created_unix},
                           {"metadata", metadata},
                           {"sections", sections}});
    return ExitCode::ok;
  }
  Console& console = invocation.console();
  const auto created = static_cast<std::time_t>(entry.created_unix);
  console.print(fmt::format("key      {}", digest));
  console.print(fmt::format("created  {:%Y-%m-%d %H:%M:%S} UTC by {}", fmt::gmtime(created), entry.creator));
  for (const cache::Section& section : entry.sections) {
    console.print(fmt::format("section  {}, {}", section.name, format_bytes(section.bytes.size())));
  }
  console.print(fmt::format("\n{}", entry.key_text));
  if (metadata.is_object())
    console.print(metadata.dump(2, ' ', false, ordered_json::error_handler_t::replace));
  return ExitCode::ok;
}

Result<ExitCode> run_extract(const Invocation& invocation, const ExtractArguments& arguments) {
  const std::string wanted = arguments.cubin ? "cubin" : arguments.ptx ? "ptx" : "object";
  LATHE_TRY(const auto store, open_cache(invocation));
  LATHE_TRY(const cache::Entry entry, find_entry(*store, arguments.key));
  std::string present;
  for (const cache::Section& section : entry.sections) {
    present += (present.empty() ? "" : ", ") + section.name;
    if (section.name != wanted) continue;
    const std::string_view bytes(reinterpret_cast<const char*>(section.bytes.data()), section.bytes.size());
    if (!arguments.dry_run) {
      LATHE_CHECK(write_file(arguments.output, bytes));
    }
    invocation.console().note(fmt::format("{}: {} bytes of {}{}", arguments.output, bytes.size(), wanted,
                                          arguments.dry_run ? " (--dry-run: not written)" : ""));
    return ExitCode::ok;
  }
  return Error{.code = ErrorCode::invalid_argument,
               .stage = Stage::api,
               .message = fmt::format("the entry {} has no {}", arguments.key, wanted),
               .hint = fmt::format("it has {}", present)};
}

}  // namespace

void add_cache_show(CLI::App& app, Action& selected) {
  CLI::App* command = app.add_subcommand("show", "Show what an entry says of itself");
  auto key = std::make_shared<std::string>();
  command->add_option("KEY", *key, "The first digits of a key")->required()->type_name("");
  command->callback([&selected, key] {
    selected = [key](const Invocation& invocation) { return run_show(invocation, *key); };
  });
}

void add_cache_extract(CLI::App& app, Action& selected) {
  CLI::App* command = app.add_subcommand("extract", "Write an entry's machine code or PTX to a file");
  auto arguments = std::make_shared<ExtractArguments>();
  command->add_option("KEY", arguments->key, "The first digits of a key")->required()->type_name("");
  CLI::Option_group* kind = command->add_option_group("kind");
  kind->add_flag("--cubin", arguments->cubin, "Machine code of the GPU");
  kind->add_flag("--ptx", arguments->ptx, "PTX");
  kind->add_flag("--object", arguments->object, "Object file of the CPU");
  kind->require_option(1);
  command->add_option("-o,--output", arguments->output, "File to write")->required()->type_name("FILE");
  command->add_flag("--dry-run", arguments->dry_run, "Write nothing");
  command->callback([&selected, arguments] {
    selected = [arguments](const Invocation& invocation) { return run_extract(invocation, *arguments); };
  });
}

}  // namespace lathe::tools
