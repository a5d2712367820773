#include "runtime/options.h"

#include <map>

#include "tests/support/catch.h"

using lathe::Mode;
using lathe::Options;
using lathe::runtime::EnvironmentLookup;
using lathe::runtime::resolve;

namespace {

EnvironmentLookup environment(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

}  // namespace

TEST_CASE("with nothing given, everything has a default") {
  const auto options = resolve({}, environment({{"HOME", "/home/u"}})).value();
  CHECK(options.cache_dir == "/home/u/.cache/lathe");
  CHECK(options.disk_cache);
  CHECK(options.mode == Mode::compile);
  CHECK_FALSE(options.target.has_value());
  CHECK(options.compile_threads >= 1);
  CHECK(options.lock_timeout == std::chrono::seconds(60));
}

TEST_CASE("the environment fills in what is not given") {
  const auto lookup = environment({{"LATHE_CACHE_DIR", "/c"},
                                   {"LATHE_CACHE_READ_ONLY_DIRS", "/a::/b:"},
                                   {"LATHE_MODE", "frozen"},
                                   {"LATHE_DISK_CACHE", "0"},
                                   {"LATHE_TARGET", "cpu:x86-64-v3"},
                                   {"LATHE_NVRTC", "/opt/libnvrtc.so"},
                                   {"LATHE_TEMPLATE_DIR", "/t"}});
  const auto options = resolve({}, lookup).value();
  CHECK(options.cache_dir == "/c");
  CHECK(options.read_only_cache_dirs == std::vector<std::string>{"/a", "/b"});
  CHECK(options.mode == Mode::frozen);
  CHECK_FALSE(options.disk_cache);
  CHECK(options.target->text() == "cpu:x86-64-v3");
  CHECK(options.nvrtc_path == "/opt/libnvrtc.so");
  CHECK(options.template_dir == "/t");
}

TEST_CASE("what is given wins over the environment") {
  Options given;
  given.cache_dir = "/given";
  given.mode = Mode::compile;
  given.disk_cache = true;
  const auto lookup =
      environment({{"LATHE_CACHE_DIR", "/c"}, {"LATHE_MODE", "frozen"}, {"LATHE_DISK_CACHE", "0"}});
  const auto options = resolve(given, lookup).value();
  CHECK(options.cache_dir == "/given");
  CHECK(options.mode == Mode::compile);
  CHECK(options.disk_cache);
}

TEST_CASE("the cache directory follows the XDG rules") {
  CHECK(resolve({}, environment({{"XDG_CACHE_HOME", "/x"}, {"HOME", "/h"}})).value().cache_dir == "/x/lathe");
  CHECK(resolve({}, environment({{"XDG_CACHE_HOME", "relative"}, {"HOME", "/h"}})).value().cache_dir ==
        "/h/.cache/lathe");
  CHECK(resolve({}, environment({{"XDG_CACHE_HOME", ""}, {"HOME", "/h"}})).value().cache_dir ==
        "/h/.cache/lathe");
  CHECK(resolve({}, environment({})).value().cache_dir.empty());
}

TEST_CASE("a value that cannot be meant is refused by name") {
  const auto message = [](std::map<std::string, std::string> variables) {
    const auto options = resolve({}, environment(std::move(variables)));
    return options ? std::string("accepted") : options.error().message;
  };
  CHECK(message({{"LATHE_MODE", "fast"}}) == "LATHE_MODE is \"fast\"");
  CHECK(message({{"LATHE_DISK_CACHE", "yes"}}) == "LATHE_DISK_CACHE is \"yes\"");
  CHECK(message({{"LATHE_TARGET", "gpu"}}).starts_with("LATHE_TARGET: "));
  CHECK(message({{"LATHE_MODE", "record"}}) == "the mode is record, but no file is named");
  Options negative;
  negative.compile_threads = -1;
  CHECK_FALSE(resolve(negative, environment({})).has_value());
  negative = {};
  negative.device = -1;
  CHECK_FALSE(resolve(negative, environment({})).has_value());
  negative = {};
  negative.lock_timeout = std::chrono::milliseconds(-1);
  CHECK_FALSE(resolve(negative, environment({})).has_value());
}

TEST_CASE("what the emulator checks comes from the options, else from the environment, else it is all") {
  using lathe::EmulatorCheck;
  CHECK(resolve({}, environment({}))->emulator_check == EmulatorCheck::races);
  CHECK_FALSE(resolve({}, environment({}))->emulator_seed.has_value());
  const auto lookup = environment({{"LATHE_EMULATOR_CHECK", "bounds"}, {"LATHE_EMULATOR_SEED", "17"}});
  CHECK(resolve({}, lookup)->emulator_check == EmulatorCheck::bounds);
  CHECK(resolve({}, lookup)->emulator_seed == 17U);
  Options given;
  given.emulator_check = EmulatorCheck::values;
  given.emulator_seed = 0;
  CHECK(resolve(given, lookup)->emulator_check == EmulatorCheck::values);
  CHECK(resolve(given, lookup)->emulator_seed == 0U);
  CHECK(resolve({}, environment({{"LATHE_EMULATOR_CHECK", "all"}})).error().hint ==
        "set it to bounds, values or races");
  CHECK(resolve({}, environment({{"LATHE_EMULATOR_SEED", "-1"}})).error().message ==
        "LATHE_EMULATOR_SEED is \"-1\"");
}
