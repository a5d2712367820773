#include "tools/lathe/gpu_compiler.h"

#include "tests/support/catch.h"

using namespace lathe;

namespace {
tools::EnvironmentLookup with_nvrtc(const char* path) {
  return [path](const char* name) {
    return std::string(name) == "LATHE_NVRTC" ? std::optional<std::string>(path) : std::nullopt;
  };
}
}  // namespace

TEST_CASE("A missing NVRTC is told") {
  const auto facts = tools::find_nvrtc(with_nvrtc("/nonexistent"));
  REQUIRE_FALSE(facts);
  CHECK(facts.error().code == ErrorCode::toolchain_missing);
  CHECK_FALSE(facts.error().hint.empty());
}

TEST_CASE("Without NVRTC no architecture is refused beforehand: the cache may hold it") {
  const std::vector<Target> targets{{.backend = Backend::cuda, .arch = "sm_77"}};
  CHECK(tools::check_archs(targets, with_nvrtc("/nonexistent")));
}

TEST_CASE("An architecture that NVRTC does not know is refused with those it knows") {
  const auto facts = tools::find_nvrtc(tools::process_environment());
  if (!facts) {
    WARN("not checked: " << facts.error().message);
    return;
  }
  const std::vector<Target> known{{.backend = Backend::cuda, .arch = "sm_90a"},
                                  {.backend = Backend::cpu, .arch = "x86-64"}};
  CHECK(tools::check_archs(known, tools::process_environment()));
  const std::vector<Target> unknown{{.backend = Backend::cuda, .arch = "sm_77"}};
  const auto refused = tools::check_archs(unknown, tools::process_environment());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::invalid_argument);
  CHECK(refused.error().message.find("sm_77") != std::string::npos);
  CHECK(refused.error().hint.find("sm_80") != std::string::npos);
}
