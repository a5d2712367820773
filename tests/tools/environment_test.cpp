#include "tools/lathe/environment.h"

#include <map>

#include "runtime/options.h"
#include "tests/support/catch.h"

using namespace lathe;

TEST_CASE("The program looks for the cache where the library does") {
  using Variables = std::map<std::string, std::string>;
  const auto variables =
      GENERATE(Variables{}, Variables{{"HOME", "/home/u"}}, Variables{{"HOME", "relative"}},
               Variables{{"HOME", "/home/u"}, {"XDG_CACHE_HOME", "/var/c"}},
               Variables{{"HOME", "/home/u"}, {"XDG_CACHE_HOME", "relative"}},
               Variables{{"HOME", "/home/u"}, {"XDG_CACHE_HOME", "/var/c"}, {"LATHE_CACHE_DIR", "/own"}});
  const auto environment = [&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  const auto resolved = runtime::resolve(Options{}, environment);
  REQUIRE(resolved);
  CHECK(tools::cache_directory("", environment) == resolved->cache_dir);
}

TEST_CASE("A directory that is named comes before the environment") {
  CHECK(tools::cache_directory("/named", [](const char*) { return std::optional<std::string>("/other"); }) ==
        "/named");
}

TEST_CASE("A variable that is set but empty counts as unset") {
  setenv("LATHE_TEST_EMPTY", "", 1);
  setenv("LATHE_TEST_SET", "x", 1);
  CHECK_FALSE(tools::process_environment()("LATHE_TEST_EMPTY"));
  CHECK(tools::process_environment()("LATHE_TEST_SET") == "x");
}
