// lathe precompile
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/tools/program_run.h"

using namespace lathe;
namespace fs = std::filesystem;
using tests::norm_json;
using tests::ProgramRun;
using tests::run_lathe;
using tests::RunOptions;

namespace {

bool skipped() {
  if (tests::has_nvrtc()) return false;
  WARN("not checked: there is no NVRTC");
  return true;
}

std::vector<std::string> command(const fs::path& cache, std::vector<std::string> more) {
  std::vector<std::string> arguments{"precompile", "--cache-dir", cache.string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::size_t entries_in(const fs::path& cache) {
  std::size_t count = 0;
  for (const auto& file : fs::recursive_directory_iterator(cache))
    count += file.path().extension() == ".lathe" ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("Every spec is compiled for every architecture once, and found the next time") {
  if (skipped()) return;
  const tests::TempDir directory;
  const fs::path cache = directory.path() / "cache";
  const auto arguments =
      command(cache, {"--spec", norm_json(64), "--spec", norm_json(65), "--arch", "sm_80,sm_90a", "--json"});
  const ProgramRun cold = run_lathe(arguments);
  INFO(cold.err);
  CHECK(cold.code == 0);
  const auto lines = cold.lines();
  REQUIRE(lines.size() == 5);
  CHECK(lines.front().at("outcome") == "compiled");
  CHECK(lines.front().at("registers") > 0);
  CHECK(lines.back().at("compiled") == 4);
  CHECK(lines.back().at("with_spills") == 0);
  CHECK(entries_in(cache) == 4);
  const ProgramRun again = run_lathe(arguments);
  CHECK(again.code == 0);
  CHECK(again.lines().back().at("compiled") == 0);
  CHECK(again.lines().back().at("cached") == 4);
}

TEST_CASE("Progress is plain lines on stderr, the summary one line on stdout") {
  if (skipped()) return;
  const tests::TempDir directory;
  const auto run = run_lathe(command(directory.path() / "c", {"--spec", norm_json(64), "--arch", "sm_80"}));
  CHECK(run.code == 0);
  CHECK(run.out.find("1 kernels: 1 compiled, 0 from cache, 0 failed; 0 with register spills") == 0);
  CHECK(run.err.find("1/1 cuda:sm_80 rms_norm 64 bf16: ") == 0);
  CHECK(run.err.find('\r') == std::string::npos);
  CHECK(run.err.find('\x1b') == std::string::npos);
}

TEST_CASE("A manifest's targets are used, and --out is where kernels go") {
  if (skipped()) return;
  const tests::TempDir directory;
  const std::string manifest = R"({"version": 1, "specs": [)" + norm_json(64) + R"(], "targets": ["sm_80"]})";
  const auto run =
      run_lathe({"precompile", "-", "--out", (directory.path() / "out").string()}, {.input = manifest});
  INFO(run.err);
  CHECK(run.code == 0);
  CHECK(entries_in(directory.path() / "out") == 1);
}

TEST_CASE("A dry run lists and writes nothing") {
  const tests::TempDir directory;
  const auto run =
      run_lathe(command(directory.path() / "c", {"--spec", norm_json(64), "--arch", "sm_80", "--dry-run"}));
  CHECK(run.code == 0);
  CHECK(run.out == "cuda:sm_80 rms_norm 64 bf16\n");
  CHECK_FALSE(fs::exists(directory.path() / "c"));
}

TEST_CASE("What is missing or unknown is wrong usage") {
  const tests::TempDir directory;
  const auto code = [&](std::vector<std::string> more) {
    return run_lathe(command(directory.path() / "c", std::move(more)));
  };
  CHECK(code({}).err.find("nothing to compile") != std::string::npos);
  CHECK(code({"--spec", norm_json(64)}).err.find("it is not said what to compile for") != std::string::npos);
  const auto arch = code({"--spec", norm_json(64), "--arch", "sm90"});
  CHECK(arch.code == 1);
  CHECK(arch.err.find("\"sm90\"") != std::string::npos);
  CHECK(code({"/nonexistent", "--arch", "sm_80"}).code == 1);
  CHECK(code({"--spec", norm_json(0), "--arch", "sm_80"}).code == 1);
}

TEST_CASE("An architecture that the compiler does not know is refused with those it knows") {
  if (skipped()) return;
  const tests::TempDir directory;
  const auto run = run_lathe(command(directory.path() / "c", {"--spec", norm_json(64), "--arch", "sm_77"}));
  CHECK(run.code == 1);
  CHECK(run.err.find("does not know the architecture sm_77") != std::string::npos);
  CHECK(run.err.find("sm_80") != std::string::npos);
}

TEST_CASE("Without NVRTC a miss ends with status 5, with how to get it and how to repeat it") {
  const tests::TempDir directory;
  const auto run = run_lathe(command(directory.path() / "c", {"--spec", norm_json(64), "--arch", "sm_80"}),
                             {.environment = {{"LATHE_NVRTC", "/nonexistent"}}});
  CHECK(run.code == 5);
  CHECK(run.err.find("hint: ") != std::string::npos);
  CHECK(run.err.find("repeat: lathe precompile --cache-dir ") != std::string::npos);
}

TEST_CASE("Without NVRTC what the cache holds is still found") {
  if (skipped()) return;
  const tests::TempDir directory;
  const auto arguments =
      command(directory.path() / "c", {"--spec", norm_json(64), "--arch", "sm_80", "--json"});
  REQUIRE(run_lathe(arguments).code == 0);
  const auto run = run_lathe(arguments, {.environment = {{"LATHE_NVRTC", "/nonexistent"}}});
  INFO(run.err);
  CHECK(run.code == 0);
  CHECK(run.lines().back().at("cached") == 1);
}

TEST_CASE("One failure ends it, --keep-going goes on, and the repeat line repeats it") {
  if (skipped()) return;
  const tests::TempDir directory;
  // A template that does not compile for one of the specs: 64 is refused, the others compile.
  const std::string templates = (directory.path() / "templates").string();
  fs::create_directories(templates + "/cuda");
  std::ofstream(templates + "/cuda/rms_norm.cu") << "// lathe:parameters\n// lathe:end\n";
  const auto run =
      run_lathe(command(directory.path() / "c", {"--spec", norm_json(64), "--spec", norm_json(72), "--arch",
                                                 "sm_80", "--keep-going", "--json", "-j", "1"}),
                {.environment = {{"LATHE_TEMPLATE_DIR", templates}}});
  CHECK(run.code == 2);
  CHECK(run.lines().back().at("failed") == 2);
  const auto stopped = run_lathe(
      command(directory.path() / "c",
              {"--spec", norm_json(64), "--spec", norm_json(72), "--arch", "sm_80", "--json", "-j", "1"}),
      {.environment = {{"LATHE_TEMPLATE_DIR", templates}}});
  CHECK(stopped.code == 2);
  CHECK(stopped.lines().back().at("failed") == 1);
  CHECK(stopped.lines().back().at("not_begun") == 1);
  CHECK(stopped.err.find("--keep-going") != std::string::npos);
}

TEST_CASE("A precompile into a directory that cannot be used ends with status 4") {
  const tests::TempDir directory;
  const auto in = [&](const fs::path& cache, const RunOptions& options = {}) {
    return run_lathe(command(cache, {"--spec", norm_json(64), "--arch", "sm_80"}), options);
  };
  SECTION("a file") {
    std::ofstream(directory.path() / "file") << "x";
    const auto run = in(directory.path() / "file");
    CHECK(run.code == 4);
    CHECK(run.err.find("is not a directory") != std::string::npos);
  }
  SECTION("a directory that others may write to") {
    fs::create_directory(directory.path() / "open");
    fs::permissions(directory.path() / "open", fs::perms::all);
    const auto run = in(directory.path() / "open");
    CHECK(run.code == 4);
    CHECK(run.err.find("others may write to it") != std::string::npos);
  }
  SECTION("a full disk") {
    if (skipped()) return;
    const auto run = in(directory.path() / "full", {.no_file_space = true});
    CHECK(run.code == 4);
    CHECK(run.err.find("could not be kept") != std::string::npos);
    CHECK(entries_in(directory.path() / "full") == 0);
  }
  SECTION("a read-only directory") {
    if (skipped()) return;
    if (geteuid() != 0) {
      fs::create_directory(directory.path() / "ro");
      fs::permissions(directory.path() / "ro", fs::perms::owner_read | fs::perms::owner_exec);
      CHECK(in(directory.path() / "ro").code == 4);
      fs::permissions(directory.path() / "ro", fs::perms::owner_all);
      return;
    }
    // Root may write anywhere, so the program runs as somebody else.
    fs::permissions(directory.path(), fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
    fs::create_directory(directory.path() / "ro");
    REQUIRE(chown((directory.path() / "ro").c_str(), 65534, 65534) == 0);
    fs::permissions(directory.path() / "ro", fs::perms::owner_read | fs::perms::owner_exec);
    const auto run = in(directory.path() / "ro", {.as_nobody = true});
    INFO(run.err);
    CHECK(run.code == 4);
    CHECK(run.err.find("Permission denied") != std::string::npos);
  }
}

TEST_CASE("Ctrl-C ends it with status 130 and keeps what is done") {
  if (skipped()) return;
  const tests::TempDir directory;
  std::vector<std::string> more{"--arch", "sm_80,sm_86,sm_89,sm_90a", "-j", "1", "--json"};
  for (int hidden = 64; hidden < 64 + 40; ++hidden) {
    more.insert(more.end(), {"--spec", norm_json(hidden)});
  }
  const auto run = run_lathe(command(directory.path() / "c", more), {.interrupt_after_ms = 1200});
  INFO(run.err);
  CHECK(run.code == 130);
  const auto summary = run.lines().back();
  CHECK(summary.at("not_begun") > 0);
  CHECK(entries_in(directory.path() / "c") == summary.at("compiled"));
  CHECK(run_lathe({"cache", "verify", "--cache-dir", (directory.path() / "c").string()}).code == 0);
}
