// lathe warm
#include <filesystem>
#include <fstream>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/tools/program_run.h"

using namespace lathe;
using tests::norm_json;
using tests::run_lathe;

namespace {

bool skipped() {
  if (tests::has_cpu()) return false;
  WARN("not checked: this build or machine runs no CPU kernels");
  return true;
}

std::string manifest() {
  return R"({"version": 1, "specs": [)" + norm_json(8) + "," + norm_json(24) + "]}";
}

}  // namespace

TEST_CASE("What a manifest names is compiled and loaded, and only loaded the next time") {
  if (skipped()) return;
  const tests::TempDir cache;
  const std::vector<std::string> arguments{"warm",   "-",           "--target",           "cpu",
                                           "--json", "--cache-dir", cache.path().string()};
  const auto cold = run_lathe(arguments, {.input = manifest()});
  INFO(cold.err);
  CHECK(cold.code == 0);
  CHECK(cold.line().at("ready") == 2);
  CHECK(cold.line().at("compiled") == 2);
  CHECK(cold.err.find("1/2 rms_norm 8 bf16: ready\n") == 0);
  const auto again = run_lathe(arguments, {.input = manifest()});
  CHECK(again.code == 0);
  CHECK(again.line().at("compiled") == 0);
  CHECK(again.line().at("ready") == 2);
}

TEST_CASE("A recorded trace is replayed, but for lines of other machines") {
  if (skipped()) return;
  const tests::TempDir directory;
  const std::string trace = (directory.path() / "trace.jsonl").string();
  const std::string cache = (directory.path() / "cache").string();
  const auto recorded = run_lathe(
      {"warm", "-", "--target", "cpu", "--cache-dir", cache},
      {.environment = {{"LATHE_MODE", "record"}, {"LATHE_RECORD_FILE", trace}}, .input = manifest()});
  INFO(recorded.err);
  REQUIRE(recorded.code == 0);
  std::ofstream(trace, std::ios::app)
      << R"({"spec": )" << norm_json(8) << R"(, "target": "cuda:sm_80"})" << "\n";
  const auto replayed = run_lathe({"warm", trace, "--target", "cpu", "--json", "--cache-dir", cache});
  INFO(replayed.err);
  CHECK(replayed.code == 0);
  CHECK(replayed.line().at("ready") == 2);
  CHECK(replayed.line().at("for_other_targets") == 1);
}

TEST_CASE("A dry run says what would be compiled, and compiles nothing") {
  if (skipped()) return;
  const tests::TempDir directory;
  const std::string cache = (directory.path() / "cache").string();
  const auto run =
      run_lathe({"warm", "-", "--target", "cpu", "--dry-run", "--cache-dir", cache}, {.input = manifest()});
  CHECK(run.code == 0);
  CHECK(run.out == "rms_norm 8 bf16: would be compiled\nrms_norm 24 bf16: would be compiled\n");
  CHECK_FALSE(std::filesystem::exists(cache));
}

TEST_CASE("Kernels are loaded without a cache too, but the status says that none is kept") {
  if (skipped()) return;
  const auto run = run_lathe({"warm", "-", "--target", "cpu", "--json", "--cache-dir", "/proc/nowhere"},
                             {.input = manifest()});
  CHECK(run.code == 4);
  CHECK(run.line().at("ready") == 2);
  CHECK(run.err.find("warning: ") != std::string::npos);
}

TEST_CASE("A manifest that is wrong is wrong usage") {
  CHECK(run_lathe({"warm", "-"}, {.input = "{}"}).code == 1);
  CHECK(run_lathe({"warm", "/nonexistent"}).code == 1);
}
