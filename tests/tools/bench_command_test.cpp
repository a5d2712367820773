// lathe bench
#include "tests/support/catch.h"
#include "tests/tools/program_run.h"
#include "tools/lathe/bench.h"
#include "tools/lathe/norm_workload.h"

using namespace lathe;
using tools::line_of;
using tools::Measurement;

TEST_CASE("A number is held against its limit in the right direction") {
  const Measurement time{.name = "t", .target = "cpu", .value = 250, .unit = "ns", .limit = 200};
  CHECK_FALSE(time.is_within());
  CHECK(line_of(time).find("at most 200") != std::string::npos);
  CHECK(line_of(time).find("over") != std::string::npos);
  const Measurement share{
      .name = "s", .target = "cpu", .value = 0.9, .unit = "", .limit = 0.8, .higher_is_better = true};
  CHECK(share.is_within());
  CHECK(line_of(share).find("ok") != std::string::npos);
  const Measurement free{.name = "f", .target = "cpu", .value = 1, .unit = "ms"};
  CHECK(free.is_within());
  CHECK(line_of(free).find("limit") == std::string::npos);
}

TEST_CASE("The median is the middle") {
  CHECK(tools::median_of({5, 1, 3}) == 3);
  CHECK(tools::median_of({4}) == 4);
}

TEST_CASE("A benchmark of the cache gives every number with its limit") {
  if (!tests::has_cpu()) {
    WARN("not checked: this build or machine runs no CPU kernels");
    return;
  }
  const auto run = tests::run_lathe({"bench", "cache", "--target", "cpu", "--json"},
                                    {.environment = {{"LATHE_DISK_CACHE", "0"}}});
  INFO(run.err);
  CHECK(run.code == 0);
  const auto lines = run.lines();
  REQUIRE(lines.size() == 3);
  for (const auto& line : lines) {
    CHECK(line.at("value") > 0);
    CHECK(line.at("limit") > 0);
    CHECK(line.at("ok") == (line.at("value") <= line.at("limit")));
  }
}

TEST_CASE("What cannot be measured is said, not invented") {
  const auto run =
      tests::run_lathe({"bench", "compile", "--json"}, {.environment = {{"LATHE_NVRTC", "/nonexistent"}}});
  CHECK(run.code == 0);
  CHECK(run.out.empty());
  CHECK(run.err.find("compiles are not measured") == 0);
}
