#include "tools/lathe/exit_code.h"

#include "tests/support/catch.h"

using namespace lathe;
using tools::exit_code_of;
using tools::ExitCode;

namespace {
ExitCode code_of(ErrorCode code, Stage stage = Stage::api) {
  return exit_code_of({.code = code, .stage = stage, .message = {}});
}
}  // namespace

TEST_CASE("Each kind of failure has its exit status") {
  CHECK(code_of(ErrorCode::invalid_argument) == ExitCode::usage);
  CHECK(code_of(ErrorCode::invalid_spec) == ExitCode::usage);
  CHECK(code_of(ErrorCode::compile_failed) == ExitCode::failed);
  CHECK(code_of(ErrorCode::launch_failed) == ExitCode::failed);
  CHECK(code_of(ErrorCode::frozen_miss) == ExitCode::incomplete);
  CHECK(code_of(ErrorCode::toolchain_missing) == ExitCode::toolchain);
  CHECK(code_of(ErrorCode::device_missing) == ExitCode::toolchain);
  CHECK(code_of(ErrorCode::unsupported) == ExitCode::toolchain);
  CHECK(code_of(ErrorCode::cancelled) == ExitCode::interrupted);
}

TEST_CASE("A file that cannot be read is wrong usage, a cache that cannot be read is not") {
  CHECK(code_of(ErrorCode::io_failed, Stage::api) == ExitCode::usage);
  CHECK(code_of(ErrorCode::io_failed, Stage::store) == ExitCode::cache);
}
