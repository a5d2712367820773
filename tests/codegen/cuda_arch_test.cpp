#include "codegen/cuda_arch.h"

#include <set>

#include "tests/support/catch.h"

using namespace lathe::codegen;

TEST_CASE("an architecture is found by its name only") {
  for (const char* name : {"sm_80", "sm_86", "sm_87", "sm_88", "sm_89", "sm_90", "sm_90a", "sm_100",
                           "sm_100a", "sm_103", "sm_120", "sm_120a"}) {
    INFO(name);
    REQUIRE(find_cuda_arch(name) != nullptr);
    CHECK(find_cuda_arch(name)->name == name);
  }
  for (const char* name : {"", "sm_", "80", "sm_75", "sm_80a", "sm_90f", "sm_1000", "native"}) {
    INFO(name);
    CHECK(find_cuda_arch(name) == nullptr);
  }
}

TEST_CASE("the number is that of the compute capability, whatever the suffix") {
  CHECK(find_cuda_arch("sm_80")->number() == 80);
  CHECK(find_cuda_arch("sm_90a")->number() == 90);
  CHECK(find_cuda_arch("sm_103f")->number() == 103);
  CHECK(find_cuda_arch("sm_120a")->number() == 120);
}

TEST_CASE("variants of one architecture share their facts") {
  std::set<std::string_view> names;
  for (const CudaArch& arch : cuda_archs()) {
    INFO(arch.name);
    CHECK(names.insert(arch.name).second);
    CHECK(arch.max_dynamic_shared_bytes > 48 * 1024);  // what every device has without asking
    CHECK((arch.max_cluster > 1) == (arch.number() >= 90));
    CHECK(arch.has_fp8_conversion == (arch.number() >= 89));
    for (const CudaArch& other : cuda_archs()) {
      if (other.number() == arch.number()) {
        CHECK(other.max_dynamic_shared_bytes == arch.max_dynamic_shared_bytes);
      }
    }
  }
}

TEST_CASE("of compute capabilities 8.x only 8.0 and 8.7 have the large shared memory") {
  for (const char* name : {"sm_80", "sm_87"}) {
    CHECK(find_cuda_arch(name)->max_dynamic_shared_bytes == 163 * 1024);
  }
  for (const char* name : {"sm_86", "sm_88", "sm_89"}) {
    CHECK(find_cuda_arch(name)->max_dynamic_shared_bytes == 99 * 1024);
  }
}

TEST_CASE("the names are listed for messages") {
  CHECK(cuda_arch_names().starts_with("sm_80, sm_86, "));
  CHECK(cuda_arch_names().ends_with(cuda_archs().back().name));
}
