// lathe cache stats and ls: what the directory holds.
#include <algorithm>
#include <ctime>
#include <map>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "runtime/base/try.h"
#include "tools/lathe/cache_command.h"
#include "tools/lathe/table.h"

namespace lathe::tools {

namespace {

using nlohmann::ordered_json;

struct Listed {
  std::string key;
  std::string op;
  std::string spec;
  std::string target;
  std::uintmax_t bytes = 0;
  std::uint64_t created_unix = 0;
  bool is_readable = false;
};

Result<std::vector<Listed>> list_entries(cache::DiskStore& store) {
  std::vector<Listed> entries;
  LATHE_CHECK(store.list([&](const cache::EntryFile& file) {
    Listed listed{.key = key_of(file.path), .op = {}, .spec = {}, .target = {}, .bytes = file.bytes};
    if (file.head) {
      listed.is_readable = true;
      listed.spec = key_line(file.head->key_text, "spec");
      listed.op = listed.spec.substr(0, listed.spec.find(' '));
      listed.target = key_line(file.head->key_text, "target");
      listed.created_unix = file.head->created_unix;
    }
    entries.push_back(std::move(listed));
  }));
  std::sort(entries.begin(), entries.end(), [](const Listed& a, const Listed& b) {
    return std::tie(a.target, a.spec, a.key) < std::tie(b.target, b.spec, b.key);
  });
  return entries;
}

struct Sum {
  std::size_t entries = 0;
  std::uintmax_t bytes = 0;

  void add(const Listed& listed) {
    ++entries;
    bytes += listed.bytes;
  }
};

Result<ExitCode> run_stats(const Invocation& invocation) {
  LATHE_TRY(const auto store, open_cache(invocation));
  LATHE_TRY(const std::vector<Listed> entries, list_entries(*store));
  Sum all;
  std::size_t unreadable = 0;
  std::map<std::pair<std::string, std::string>, Sum> groups;  // by target and op
  for (const Listed& listed : entries) {
    all.add(listed);
    unreadable += listed.is_readable ? 0 : 1;
    if (listed.is_readable) groups[{listed.target, listed.op}].add(listed);
  }
  const std::string directory = store->directory().root().string();
  if (invocation.json()) {
    ordered_json list = ordered_json::array();
    for (const auto& [group, sum] : groups) {
      list.push_back(
          {{"target", group.first}, {"op", group.second}, {"entries", sum.entries}, {"bytes", sum.bytes}});
    }
    invocation.print_json({{"version", 1},
                           {"cache_dir", directory},
                           {"entries", all.entries},
                           {"bytes", all.bytes},
                           {"unreadable", unreadable},
                           {"groups", list}});
    return ExitCode::ok;
  }
  Table table({{"target"}, {"op"}, {"entries", true}, {"size", true}});
  for (const auto& [group, sum] : groups) {
    table.add(
        {short_target(group.first), group.second, std::to_string(sum.entries), format_bytes(sum.bytes)});
  }
  if (!table.empty()) invocation.console().print(table.text());
  std::string line = fmt::format("{} entries, {} in {}", all.entries, format_bytes(all.bytes), directory);
  if (unreadable > 0) line += fmt::format("; {} cannot be read, see lathe cache verify", unreadable);
  invocation.console().print(line);
  return ExitCode::ok;
}

Result<ExitCode> run_ls(const Invocation& invocation) {
  LATHE_TRY(const auto store, open_cache(invocation));
  LATHE_TRY(const std::vector<Listed> entries, list_entries(*store));
  Table table({{"key"}, {"target"}, {"size", true}, {"created"}, {"spec"}});
  for (const Listed& listed : entries) {
    if (invocation.json()) {
      invocation.print_json({{"key", listed.key},
                             {"target", listed.target},
                             {"bytes", listed.bytes},
                             {"created_unix", listed.created_unix},
                             {"spec", listed.spec},
                             {"readable", listed.is_readable}});
      continue;
    }
    const auto created = static_cast<std::time_t>(listed.created_unix);
    table.add({listed.key.substr(0, 12), short_target(listed.target), format_bytes(listed.bytes),
               listed.is_readable ? fmt::format("{:%Y-%m-%d %H:%M}", fmt::gmtime(created)) : "",
               listed.is_readable ? listed.spec : "cannot be read"});
  }
  if (!table.empty()) invocation.console().print(table.text());
  if (entries.empty()) invocation.console().note(fmt::format("{} is empty", store->describe()));
  return ExitCode::ok;
}

}  // namespace

void add_cache_stats(CLI::App& app, Action& selected) {
  app.add_subcommand("stats", "Count entries and bytes by target and op")->callback([&selected] {
    selected = run_stats;
  });
}

void add_cache_ls(CLI::App& app, Action& selected) {
  app.add_subcommand("ls", "List all entries")->callback([&selected] { selected = run_ls; });
}

}  // namespace lathe::tools
