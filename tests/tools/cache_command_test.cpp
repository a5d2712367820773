// lathe cache
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/tools/program_run.h"
#include "tools/lathe/cache_command.h"
#include "tools/lathe/files.h"

using namespace lathe;
namespace fs = std::filesystem;
using tests::norm_json;
using tests::ProgramRun;
using tests::run_lathe;

namespace {

/// A cache with one GPU kernel in it.
class FilledCache {
 public:
  FilledCache() {
    const ProgramRun filled = run({"precompile", "--spec", norm_json(64), "--arch", "sm_80", "--json"});
    INFO(filled.err);
    REQUIRE(filled.code == 0);
    key = filled.lines().front().at("key").get<std::string>();
    for (const auto& found : fs::recursive_directory_iterator(directory_.path())) {
      if (found.path().extension() == ".lathe") file = found.path();
    }
    REQUIRE_FALSE(file.empty());
  }

  ProgramRun run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--cache-dir", (directory_.path() / "cache").string()});
    return run_lathe(arguments);
  }

  std::string path(const std::string& name) const { return (directory_.path() / name).string(); }

  std::string key;
  fs::path file;

 private:
  tests::TempDir directory_;
};

bool skipped() {
  if (tests::has_nvrtc()) return false;
  WARN("not checked: there is no NVRTC");
  return true;
}

}  // namespace

TEST_CASE("stats and ls tell what is there, by target and op") {
  if (skipped()) return;
  const FilledCache cache;
  const auto stats = cache.run({"cache", "stats", "--json"}).line();
  CHECK(stats.at("entries") == 1);
  CHECK(stats.at("bytes") == fs::file_size(cache.file));
  CHECK(stats.at("groups").at(0).at("target") == "cuda:sm_80");
  CHECK(stats.at("groups").at(0).at("op") == "rms_norm");
  const auto listed = cache.run({"cache", "ls", "--json"}).line();
  CHECK(listed.at("key") == cache.key);
  CHECK(listed.at("spec").get<std::string>().find("rms_norm hidden_size=64 ") == 0);
  CHECK(cache.run({"cache", "ls"}).out.find(cache.key.substr(0, 12)) != std::string::npos);
  CHECK(cache.run({"cache", "stats"}).out.find("1 entries, ") != std::string::npos);
}

TEST_CASE("A directory that is not there is an empty cache") {
  const tests::TempDir directory;
  const std::string cache = (directory.path() / "none").string();
  const auto stats = run_lathe({"cache", "stats", "--json", "--cache-dir", cache});
  CHECK(stats.code == 0);
  CHECK(stats.line().at("entries") == 0);
  CHECK(run_lathe({"cache", "verify", "--cache-dir", cache}).code == 0);
  CHECK(run_lathe({"cache", "ls", "--cache-dir", cache}).out.empty());
  CHECK_FALSE(fs::exists(cache));
}

TEST_CASE("show finds an entry by its first digits") {
  if (skipped()) return;
  const FilledCache cache;
  const auto shown = cache.run({"cache", "show", cache.key.substr(0, 6), "--json"}).line();
  CHECK(shown.at("key") == cache.key);
  CHECK(shown.at("metadata").at("resources").at("registers") > 0);
  CHECK(shown.at("sections").size() == 2);
  CHECK(cache.run({"cache", "show", cache.key}).out.find("target: cuda:sm_80") != std::string::npos);
  CHECK(cache.run({"cache", "show", "xyz"}).code == 1);
  CHECK(cache.run({"cache", "show", std::string(32, '0')}).code == 1);
}

TEST_CASE("extract writes the machine code or the PTX") {
  if (skipped()) return;
  const FilledCache cache;
  REQUIRE(cache.run({"cache", "extract", cache.key, "--cubin", "-o", cache.path("k.cubin")}).code == 0);
  REQUIRE(cache.run({"cache", "extract", cache.key, "--ptx", "-o", cache.path("k.ptx")}).code == 0);
  CHECK(tools::read_file(cache.path("k.cubin"))->substr(0, 4) ==
        "\x7f"
        "ELF");
  CHECK(tools::read_file(cache.path("k.ptx"))->find(".target sm_80") != std::string::npos);
  const auto absent = cache.run({"cache", "extract", cache.key, "--object", "-o", cache.path("k.o")});
  CHECK(absent.code == 1);
  CHECK(absent.err.find("it has cubin, ptx") != std::string::npos);
  CHECK(cache.run({"cache", "extract", cache.key, "--ptx", "-o", cache.path("dry"), "--dry-run"}).code == 0);
  CHECK_FALSE(fs::exists(cache.path("dry")));
}

TEST_CASE("verify finds every kind of damage, and the next compile repairs it") {
  if (skipped()) return;
  const FilledCache cache;
  CHECK(cache.run({"cache", "verify"}).code == 0);
  const std::string whole = *tools::read_file(cache.file.string());
  const std::string how = GENERATE(std::string("truncated"), std::string("altered"), std::string("foreign"),
                                   std::string("empty"));
  std::string damaged = whole;
  if (how == "truncated") damaged.resize(whole.size() / 2);
  if (how == "altered") damaged[whole.size() - 100] = static_cast<char>(damaged[whole.size() - 100] ^ 1);
  if (how == "foreign") damaged = "not an entry";
  if (how == "empty") damaged.clear();
  std::ofstream(cache.file, std::ios::binary) << damaged;
  INFO(how);
  const auto verified = cache.run({"cache", "verify", "--json"});
  CHECK(verified.code == 3);
  REQUIRE(verified.line().at("damaged").size() == 1);
  CHECK(verified.line()["damaged"][0].at("path") == cache.file.string());
  CHECK(verified.line()["damaged"][0].at("problem") != "");
  const auto repaired = cache.run({"precompile", "--spec", norm_json(64), "--arch", "sm_80", "--json"});
  INFO(repaired.err);
  CHECK(repaired.code == 0);
  CHECK(repaired.lines().back().at("compiled") == 1);
  CHECK(cache.run({"cache", "verify"}).code == 0);
}

TEST_CASE("An entry that cannot be read does not stop a compile") {
  if (skipped()) return;
  const FilledCache cache;
  // A directory in its place cannot be read by anybody, root included.
  fs::remove(cache.file);
  fs::create_directory(cache.file);
  CHECK(cache.run({"cache", "verify"}).code == 3);
  const auto run = cache.run({"precompile", "--spec", norm_json(64), "--arch", "sm_80", "--json"});
  CHECK(run.lines().back().at("compiled") == 1);
  CHECK(run.lines().back().at("failed") == 0);
}

TEST_CASE("explain says what is nearest and how it differs, then where the kernel is") {
  if (!tests::has_cpu()) {
    WARN("not checked: this build or machine runs no CPU kernels");
    return;
  }
  const tests::TempDir directory;
  const std::string cache = (directory.path() / "cache").string();
  const auto explain = [&](int hidden) {
    return run_lathe(
               {"cache", "explain", norm_json(hidden), "--target", "cpu", "--json", "--cache-dir", cache})
        .line();
  };
  CHECK(explain(8).at("found_in") == "");
  REQUIRE(run_lathe({"warm", "-", "--target", "cpu", "--cache-dir", cache}, {.input = norm_json(8)}).code ==
          0);
  CHECK(explain(8).at("found_in") == "disk " + cache);
  const auto other = explain(16);
  CHECK(other.at("nearest") == explain(8).at("key"));
  const auto differences = other.at("differences").get<std::vector<std::string>>();
  CHECK(std::any_of(differences.begin(), differences.end(),
                    [](const std::string& text) { return text.find("hidden_size") != std::string::npos; }));
}

TEST_CASE("Cache commands on a directory that cannot be used end with status 4") {
  const tests::TempDir directory;
  const std::string file = (directory.path() / "file").string();
  std::ofstream(file) << "x";
  for (const char* what : {"stats", "ls", "verify"}) {
    const auto run = run_lathe({"cache", what, "--cache-dir", file});
    CHECK(run.code == 4);
    CHECK(run.err.find("is not a directory") != std::string::npos);
  }
}

TEST_CASE("Lines of a key text are found by their whole label") {
  CHECK(tools::key_line("a: 1\nab: 2\n", "ab") == "2");
  CHECK(tools::key_line("a: 1\nab: 2\n", "a") == "1");
  CHECK(tools::key_line("a: 1", "b").empty());
  CHECK(tools::key_of("/c/v1/ab/cdef.lathe") == "abcdef");
}
