// lathe doctor
#include <filesystem>
#include <fstream>

#include <lathe/version.h>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/tools/program_run.h"

using namespace lathe;
using tests::run_lathe;

namespace {

const nlohmann::json* find(const nlohmann::json& report, const std::string& name) {
  for (const auto& finding : report.at("findings")) {
    if (finding.at("name") == name) return &finding;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("doctor names version, compilers, devices and the cache") {
  const tests::TempDir directory;
  const auto run = run_lathe({"doctor", "--json", "--cache-dir", directory.path().string()});
  const auto report = run.line();
  CHECK(report.at("lathe") == LATHE_VERSION);
  CHECK(report.at("cache_dir") == directory.path().string());
  CHECK(report.at("cache_usable") == true);
  CHECK(run.code == (report.at("can_run").get<bool>() ? 0 : 5));
  for (const char* name :
       {"lathe", "cuda device", "nvrtc", "cpu device", "clang", "cache", "cache writable"}) {
    INFO(name);
    REQUIRE(find(report, name) != nullptr);
    CHECK(find(report, name)->at("text") != "");
  }
  const auto plain = run_lathe({"doctor", "--cache-dir", directory.path().string()});
  CHECK(plain.out.find("ok       lathe") == 0);
}

TEST_CASE("doctor leaves nothing behind in the cache") {
  const tests::TempDir directory;
  REQUIRE(
      run_lathe({"doctor", "--json", "--cache-dir", directory.path().string()}).line().at("cache_usable") ==
      true);
  const auto stats = run_lathe({"cache", "stats", "--json", "--cache-dir", directory.path().string()}).line();
  CHECK(stats.at("entries") == 0);
}

TEST_CASE("A missing NVRTC is told with what to install") {
  const tests::TempDir directory;
  const auto run = run_lathe({"doctor", "--json", "--cache-dir", directory.path().string()},
                             {.environment = {{"LATHE_NVRTC", "/nonexistent"}}});
  const auto report = run.line();
  CHECK(report.at("nvrtc").is_null());
  CHECK(find(report, "nvrtc")->at("ok") == false);
  CHECK(find(report, "nvrtc")->at("hint") != "");
}

TEST_CASE("A cache that cannot be used ends with status 4, if kernels can run") {
  const tests::TempDir directory;
  const std::string file = (directory.path() / "file").string();
  std::ofstream(file) << "x";
  const auto run = run_lathe({"doctor", "--json", "--cache-dir", file});
  CHECK(run.line().at("cache_usable") == false);
  CHECK(run.code == (run.line().at("can_run").get<bool>() ? 4 : 5));
}
