#include "tools/lathe/program.h"

#include <lathe/version.h>

#include "tests/support/catch.h"
#include "tests/tools/program_run.h"

using lathe::tests::ProgramRun;
using lathe::tests::run_lathe;

TEST_CASE("The version and the help are results") {
  const ProgramRun version = run_lathe({"--version"});
  CHECK(version.code == 0);
  CHECK(version.out == "lathe " LATHE_VERSION "\n");
  CHECK(version.err.empty());
  const ProgramRun help = run_lathe({"--help"});
  CHECK(help.code == 0);
  for (const char* command :
       {"demo", "run", "spec", "plan", "precompile", "warm", "bench", "cache", "doctor"}) {
    CHECK(help.out.find(std::string("\n  ") + command) != std::string::npos);
  }
  const ProgramRun of_command = run_lathe({"cache", "show", "--help"});
  CHECK(of_command.code == 0);
  CHECK(of_command.out.find("KEY") != std::string::npos);
}

TEST_CASE("What nobody knows is wrong usage, with what was perhaps meant") {
  struct Case {
    std::vector<std::string> arguments;
    std::string message;
  };
  const Case given = GENERATE(
      Case{{"precompil"}, "unknown command precompil; did you mean precompile?"},
      Case{{"xyzzy"}, "unknown command xyzzy"},
      Case{{"cache", "lss"}, "unknown command lss; did you mean ls?"},
      Case{{"plan", "--confg", "x", "--config", "y"}, "unknown option --confg; did you mean --config?"},
      Case{{"doctor", "--jsno"}, "unknown option --jsno; did you mean --json?"},
      Case{{"doctor", "now"}, "unknown argument now"}, Case{{}, "lathe: a command is missing"},
      Case{{"cache"}, "lathe cache: a command is missing"});
  const ProgramRun run = run_lathe(given.arguments);
  CHECK(run.code == 1);
  CHECK(run.out.empty());
  CHECK(run.err.find("error: " + given.message + "\n") == 0);
  CHECK(run.err.find("hint: see lathe") != std::string::npos);
}

TEST_CASE("Whatever CLI parsing refuses ends with status 1") {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"run"},
        {"plan"},
        {"warm"},
        {"run", "x", "--repeat", "0"},
        {"precompile", "m", "-j", "x"},
        {"bench", "everything"},
        {"cache", "extract", "00", "-o", "f"},
        {"cache", "extract", "00", "--ptx", "--cubin", "-o", "f"}}) {
    const ProgramRun run = run_lathe(arguments);
    INFO(arguments.front() << ": " << run.err);
    CHECK(run.code == 1);
    CHECK(run.out.empty());
    CHECK(run.err.find("error: ") == 0);
  }
}

TEST_CASE("Global options may stand before and after the command") {
  CHECK(run_lathe({"--json", "spec"}).line() == run_lathe({"spec", "--json"}).line());
}

TEST_CASE("A result that cannot be written is not a success") {
  lathe::tools::EnvironmentLookup nothing = [](const char*) { return std::nullopt; };
  std::FILE* full = std::fopen("/dev/full", "w");
  REQUIRE(full != nullptr);
  std::FILE* messages = std::tmpfile();
  lathe::tools::Console console(full, messages, {});
  CHECK(lathe::tools::run_program({"spec"}, console, nothing) == 1);
  std::fclose(full);
  std::fclose(messages);
}
