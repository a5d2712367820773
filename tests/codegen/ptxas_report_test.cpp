#include "codegen/ptxas_report.h"

#include "tests/support/catch.h"

using lathe::ResourceUse;
using lathe::codegen::parse_ptxas_report;
using lathe::codegen::without_times;

namespace {

constexpr const char* kReport =
    "cuda/op.cu(3): warning #177-D: variable \"registers\" was declared but never referenced\n"
    "ptxas info    : 0 bytes gmem\n"
    "ptxas info    : Compiling entry function 'first' for 'sm_90a'\n"
    "ptxas info    : Function properties for first\n"
    "    8 bytes stack frame, 12 bytes spill stores, 16 bytes spill loads\n"
    "ptxas info    : Used 40 registers, used 1 barriers, 128 bytes smem\n"
    "ptxas info    : Compile time = 8.123 ms\n"
    "ptxas info    : Compiling entry function 'first_and_more' for 'sm_90a'\n"
    "ptxas info    : Function properties for first_and_more\n"
    "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
    "ptxas info    : Used 255 registers, 400 bytes cmem[0]\n";

}  // namespace

TEST_CASE("the resources of each entry are its own") {
  CHECK(parse_ptxas_report(kReport, "first") == ResourceUse{.registers = 40,
                                                            .spill_store_bytes = 12,
                                                            .spill_load_bytes = 16,
                                                            .stack_bytes = 8,
                                                            .static_shared_bytes = 128});
  CHECK(parse_ptxas_report(kReport, "first_and_more") == ResourceUse{.registers = 255});
}

TEST_CASE("what a log does not say stays zero") {
  CHECK(parse_ptxas_report(kReport, "second") == ResourceUse{});
  CHECK(parse_ptxas_report(kReport, "") == ResourceUse{});
  CHECK(parse_ptxas_report("", "first") == ResourceUse{});
  CHECK(parse_ptxas_report("ptxas info    : Compiling entry function 'first' for 'sm_80'", "first") ==
        ResourceUse{});
}

TEST_CASE("times are dropped from a log, and nothing else") {
  const std::string kept = without_times(kReport);
  CHECK(kept.find("Compile time") == std::string::npos);
  CHECK(kept.size() == std::string_view(kReport).size() - sizeof("ptxas info    : Compile time = 8.123 ms"));
  CHECK(without_times("") == "");
  CHECK(without_times("no newline") == "no newline");
  CHECK(without_times("\n\n") == "\n\n");
  CHECK(without_times("a\nptxas info    : Compile time = 1 ms") == "a\n");
  CHECK(without_times("x.cu(1): warning: Compile time = 3") == "x.cu(1): warning: Compile time = 3");
}
