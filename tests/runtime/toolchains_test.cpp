#include "runtime/toolchains.h"

#include <atomic>

#include "tests/support/catch.h"
#include "tests/support/fake_compiler.h"

using lathe::Backend;
using lathe::Error;
using lathe::ErrorCode;
using lathe::Result;
using lathe::runtime::Toolchains;

TEST_CASE("a compiler is opened once, when it is first asked for") {
  std::atomic<int> opened{0};
  Toolchains toolchains([&](Backend) -> Result<std::unique_ptr<lathe::codegen::Compiler>> {
    ++opened;
    return std::make_unique<lathe::tests::FakeCompiler>();
  });
  CHECK(opened == 0);
  const auto* first = toolchains.compiler_for(Backend::cuda).value();
  CHECK(toolchains.compiler_for(Backend::cuda).value() == first);
  CHECK(toolchains.compiler_for(Backend::emulate).value() == first);  // the emulator runs what NVRTC made
  CHECK(opened == 1);
  CHECK(toolchains.compiler_for(Backend::cpu).value() != first);
  CHECK(opened == 2);
}

TEST_CASE("a missing compiler is reported each time and searched for once") {
  int searched = 0;
  Toolchains toolchains([&](Backend) -> Result<std::unique_ptr<lathe::codegen::Compiler>> {
    ++searched;
    return Error{.code = ErrorCode::toolchain_missing, .message = "no NVRTC"};
  });
  CHECK(toolchains.compiler_for(Backend::cuda).error().message == "no NVRTC");
  CHECK(toolchains.compiler_for(Backend::cuda).error().code == ErrorCode::toolchain_missing);
  CHECK(searched == 1);
}
