#include <lathe/target.h>

#include "tests/support/catch.h"

using lathe::Backend;
using lathe::Target;

TEST_CASE("targets are written as they are parsed") {
  for (const char* text : {"cuda:sm_80", "cuda:sm_90a", "cuda:sm_100f", "emulate:sm_120", "cpu:x86-64-v3",
                           "cpu:sapphirerapids+amx-bf16+avx512f", "cpu:native", "cuda:native"}) {
    INFO(text);
    CHECK(Target::parse(text).value().text() == text);
  }
}

TEST_CASE("a backend alone means the machine at hand") {
  const Target target = Target::parse("cuda").value();
  CHECK(target.backend == Backend::cuda);
  CHECK(target.is_native());
}

TEST_CASE("features are sorted and said once") {
  CHECK(Target::parse("cpu:znver4+fma+avx2+fma").value().text() == "cpu:znver4+avx2+fma");
}

TEST_CASE("what is not a target is refused with a hint") {
  for (const char* text :
       {"", "gpu", "cuda:", "cuda:sm_", "cuda:90", "cuda:sm_9", "cuda:sm_90x", "cuda:sm_90a+fast",
        "cpu:", "cpu:a b", "cpu:x86-64+", "cpu:x86-64++avx2", "CUDA:sm_80", "emulate:sm_1000"}) {
    INFO(text);
    const auto target = Target::parse(text);
    REQUIRE_FALSE(target.has_value());
    CHECK(target.error().code == lathe::ErrorCode::invalid_argument);
    CHECK_FALSE(target.error().hint.empty());
  }
}
