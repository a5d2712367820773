#include "runtime/executors.h"

#include "tests/support/catch.h"

using lathe::Target;
using lathe::runtime::check_runs_on;
using lathe::runtime::open_executor;

namespace {

bool runs(const char* wanted, const char* device) {
  return check_runs_on(Target::parse(wanted).value(), Target::parse(device).value()).has_value();
}

}  // namespace

TEST_CASE("GPU code runs on its own major version, from its minor version on") {
  CHECK(runs("cuda:sm_80", "cuda:sm_80"));
  CHECK(runs("cuda:sm_80", "cuda:sm_86"));
  CHECK(runs("cuda:sm_90", "cuda:sm_90a"));
  CHECK(runs("cuda:sm_90a", "cuda:sm_90a"));
  CHECK(runs("cuda:sm_100f", "cuda:sm_103"));
  CHECK(runs("cuda:sm_120", "cuda:sm_121"));
  CHECK_FALSE(runs("cuda:sm_86", "cuda:sm_80"));
  CHECK_FALSE(runs("cuda:sm_80", "cuda:sm_90a"));
  CHECK_FALSE(runs("cuda:sm_90a", "cuda:sm_100"));
  CHECK_FALSE(runs("cuda:sm_100a", "cuda:sm_103"));
  CHECK_FALSE(runs("cpu:x86-64", "cuda:sm_80"));
  CHECK_FALSE(runs("cuda:sm_80", "cpu:x86-64"));
}

TEST_CASE("a device that does not fit is an error that names both") {
  const auto result =
      check_runs_on(Target::parse("cuda:sm_80").value(), Target::parse("cuda:sm_90a").value());
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().message == "code for cuda:sm_80 does not run on the device at hand, cuda:sm_90a");
  CHECK(result.error().hint.find("--target cuda:sm_90a") != std::string::npos);
}

TEST_CASE("the emulator is any GPU that it is asked to be") {
  lathe::runtime::ResolvedOptions options;
  options.target = Target::parse("emulate:sm_80").value();
  CHECK(open_executor(options).value()->device().target.text() == "emulate:sm_80");
  options.target = Target::parse("emulate").value();
  CHECK(open_executor(options).value()->device().target.text() == "emulate:sm_90a");
}

#if LATHE_WITH_LLVM
TEST_CASE("with no target asked for there is at least the CPU") {
  const auto executor = open_executor({});
  REQUIRE(executor.has_value());
  CHECK_FALSE((*executor)->device().target.is_native());
}
#endif
