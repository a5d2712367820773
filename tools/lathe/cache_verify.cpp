// lathe cache verify: every entry read in full.
#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "runtime/base/try.h"
#include "tools/lathe/cache_command.h"

namespace lathe::tools {

namespace {

using nlohmann::ordered_json;

Result<ExitCode> run_verify(const Invocation& invocation) {
  LATHE_TRY(const auto store, open_cache(invocation));
  std::size_t sound = 0;
  ordered_json damaged = ordered_json::array();
  LATHE_CHECK(store->verify([&](const cache::EntryCheck& check) {
    if (check.problem.empty()) {
      ++sound;
      return;
    }
    damaged.push_back({{"path", check.path.string()}, {"problem", check.problem}});
    if (!invocation.json())
      invocation.console().print(fmt::format("{}: {}", check.path.string(), check.problem));
  }));
  const std::string directory = store->directory().root().string();
  if (invocation.json()) {
    invocation.print_json({{"version", 1}, {"cache_dir", directory}, {"sound", sound}, {"damaged", damaged}});
  } else {
    invocation.console().print(
        fmt::format("{} entries are sound, {} damaged in {}", sound, damaged.size(), directory));
    if (!damaged.empty()) {
      invocation.console().note("damaged entries count as absent and are replaced when they are next needed");
    }
  }
  return damaged.empty() ? ExitCode::ok : ExitCode::incomplete;
}

}  // namespace

void add_cache_verify(CLI::App& app, Action& selected) {
  app.add_subcommand("verify", "Check every entry; exit status 3 if one is damaged")->callback([&selected] {
    selected = run_verify;
  });
}

}  // namespace lathe::tools
