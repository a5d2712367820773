#include "codegen/excerpt.h"

#include "tests/support/catch.h"

using namespace lathe::codegen;

namespace {

/// "cuda/op.cu:12 ..." for comparing.
std::string text_of(const std::vector<SourceLocation>& locations) {
  std::string text;
  for (const SourceLocation& location : locations) {
    text += location.file + ":" + std::to_string(location.line) + " ";
  }
  return text;
}

KernelSource source_of(int lines) {
  KernelSource source{
      .name = "cuda/op.cu", .text = {}, .headers = {{"cuda/a.cuh", "first\nsecond"}}, .entries = {}};
  for (int i = 1; i <= lines; ++i) source.text += "line " + std::to_string(i) + "\n";
  return source;
}

std::string excerpt(const std::vector<SourceLocation>& locations, int lines = 20) {
  return excerpt_around(locations, source_of(lines));
}

}  // namespace

TEST_CASE("error locations are read from the logs of both compilers") {
  CHECK(text_of(error_locations("cuda/op.cu(12): error: expected a \";\"\n"
                                "      return x\n"
                                "             ^\n"
                                "cuda/a.cuh(7): error #20: identifier \"y\" is undefined\n"
                                "x.cu(1): catastrophic error: cannot open source file \"b.h\"\n"
                                "3 errors detected in the compilation of \"cuda/op.cu\".\n")) ==
        "cuda/op.cu:12 cuda/a.cuh:7 x.cu:1 ");
  CHECK(text_of(error_locations("cpu/op.cpp:12:5: error: use of undeclared identifier\n"
                                "cpu/a.h:3:10: fatal error: 'x.h' file not found")) ==
        "cpu/op.cpp:12 cpu/a.h:3 ");
}

TEST_CASE("warnings, notes and other lines are passed over") {
  CHECK(error_locations("").empty());
  CHECK(error_locations("cuda/op.cu(12): warning #177-D: variable was declared\n"
                        "cpu/op.cpp:12:5: note: declared here\n"
                        "cpu/op.cpp:13:5: warning: unused\n"
                        "ptxas error : entry function uses too much shared data\n"
                        ": error: no file\n"
                        "op.cu(x): error: no number\n"
                        "op.cu(0): error: no line\n"
                        "nvrtc: error: invalid value for --gpu-architecture (-arch)\n")
            .empty());
}

TEST_CASE("a place that has several errors is shown once") {
  CHECK(text_of(error_locations("a.cu(1): error: one\na.cu(1): error: two\na.cu(2): error: three\n")) ==
        "a.cu:1 a.cu:2 ");
}

TEST_CASE("an excerpt numbers its lines and marks the one meant") {
  CHECK(excerpt({{"cuda/op.cu", 5}}) ==
        "cuda/op.cu:\n"
        "      2 | line 2\n"
        "      3 | line 3\n"
        "      4 | line 4\n"
        ">     5 | line 5\n"
        "      6 | line 6\n"
        "      7 | line 7\n"
        "      8 | line 8\n");
}

TEST_CASE("an excerpt ends where the source does") {
  CHECK(excerpt({{"cuda/op.cu", 1}}, 2) ==
        "cuda/op.cu:\n"
        ">     1 | line 1\n"
        "      2 | line 2\n");
  CHECK(excerpt({{"cuda/a.cuh", 2}}) ==
        "cuda/a.cuh:\n"
        "      1 | first\n"
        ">     2 | second\n");
}

TEST_CASE("files that are not ours are left out, and so is the fourth place") {
  CHECK(excerpt({{"/usr/include/x.h", 3}}).empty());
  CHECK(excerpt({}).empty());
  const std::string four =
      excerpt({{"cuda/op.cu", 1}, {"cuda/op.cu", 6}, {"cuda/op.cu", 11}, {"cuda/op.cu", 16}});
  CHECK(four.find(">    11 |") != std::string::npos);
  CHECK(four.find(">    16 |") == std::string::npos);
}
