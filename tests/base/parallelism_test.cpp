#include "runtime/base/parallelism.h"

#include "tests/support/catch.h"

using namespace lathe::base;

TEST_CASE("a CPU quota is a number of processors") {
  CHECK(parse_cpu_max("200000 100000\n") == 2.0);
  CHECK(parse_cpu_max("150000 100000\n") == 1.5);
  CHECK_FALSE(parse_cpu_max("max 100000\n").has_value());
  CHECK_FALSE(parse_cpu_max("").has_value());
  CHECK_FALSE(parse_cpu_max("100000").has_value());
  CHECK_FALSE(parse_cpu_max("100000 0").has_value());
}

TEST_CASE("memory is read from the kernel's table") {
  const char* text = "MemTotal:       100 kB\nMemAvailable:    24 kB\nBuffers: 1 kB\n";
  CHECK(parse_meminfo(text, "MemAvailable") == 24u * 1024);
  CHECK(parse_meminfo(text, "MemTotal") == 100u * 1024);
  CHECK_FALSE(parse_meminfo(text, "Mem").has_value());
  CHECK_FALSE(parse_meminfo("MemAvailable: many\n", "MemAvailable").has_value());
}

TEST_CASE("a limit of max is none") {
  CHECK(parse_limit("1073741824\n") == 1073741824u);
  CHECK_FALSE(parse_limit("max\n").has_value());
  CHECK_FALSE(parse_limit("").has_value());
}

TEST_CASE("the unified control group is found among others") {
  CHECK(parse_cgroup_path("0::/user.slice/app\n") == "/user.slice/app");
  CHECK(parse_cgroup_path("3:cpu:/x\n0::/y\n") == "/y");
  CHECK(parse_cgroup_path("0::/\n").empty());
  CHECK(parse_cgroup_path("3:cpu:/x\n").empty());
  CHECK(parse_cgroup_path("").empty());
}

TEST_CASE("this machine can compile at least one kernel at a time") {
  CHECK(usable_processors() >= 1);
  CHECK(compile_parallelism() >= 1);
  CHECK(compile_parallelism() <= usable_processors());
  CHECK(usable_memory_bytes().value_or(1) > 0);
}
