// lathe demo
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/tools/program_run.h"

using namespace lathe;
using tests::run_lathe;

namespace {

bool skipped() {
  if (tests::has_cpu()) return false;
  WARN("not checked: this build or machine runs no CPU kernels");
  return true;
}

}  // namespace

TEST_CASE("The demo compiles, runs and checks, and compiles nothing the second time") {
  if (skipped()) return;
  const tests::TempDir cache;
  const std::vector<std::string> arguments{"demo", "--json", "--cache-dir", cache.path().string()};
  const auto first = run_lathe(arguments);
  INFO(first.err);
  CHECK(first.code == 0);
  const auto lines = first.lines();
  std::size_t measured = 0;
  for (const auto& line : lines) {
    if (!line.contains("max_error")) continue;
    ++measured;
    CHECK(line.at("max_error") <= line.at("error_limit"));
    CHECK(line.at("max_error") > 0);
    CHECK(line.at("gb_per_s") > 0);
  }
  CHECK(measured == 2);
  const auto compiled = lines.back().at("compiled").get<int>();
  CHECK(compiled >= 2);
  const auto second = run_lathe(arguments).lines().back();
  CHECK(second.at("compiled") == 0);
  CHECK(second.at("from_cache") == compiled);
}

TEST_CASE("Without NVRTC the demo still runs, and says why GPU rows are empty") {
  if (skipped()) return;
  const tests::TempDir cache;
  const auto run = run_lathe({"demo", "--cache-dir", cache.path().string()},
                             {.environment = {{"LATHE_NVRTC", "/nonexistent"}, {"LATHE_TARGET", "cpu"}}});
  CHECK(run.code == 0);
  CHECK(run.out.find("2 compiled, 0 from cache") != std::string::npos);
  CHECK(run.err.find("warning: cuda:sm_80: ") != std::string::npos);
}
