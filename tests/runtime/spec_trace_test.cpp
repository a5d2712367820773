#include "runtime/spec_trace.h"

#include <fstream>
#include <string>

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using lathe::RmsNormSpec;
using lathe::Target;
using lathe::runtime::SpecTrace;

TEST_CASE("each new spec is appended once") {
  const lathe::tests::TempDir directory;
  const std::string path = (directory.path() / "trace.jsonl").string();
  const Target target = Target::parse("cuda:sm_90a").value();
  SpecTrace trace(path);
  for (const std::int64_t size : {128, 256, 128, 128}) {
    REQUIRE(trace.add(RmsNormSpec{.hidden_size = size}, target).has_value());
  }
  // A second process, as it were: it appends and does not truncate.
  REQUIRE(SpecTrace(path).add(RmsNormSpec{.hidden_size = 512}, target).has_value());

  std::ifstream file(path);
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].at("target") == "cuda:sm_90a");
  CHECK(lines[0].at("spec").at("op") == "rms_norm");
  CHECK(lines[1].at("spec").at("hidden_size") == 256);
  CHECK(lines[2].at("spec").at("hidden_size") == 512);
}

TEST_CASE("a file that cannot be written is an error with its path") {
  SpecTrace trace("/nonexistent/trace.jsonl");
  const auto added = trace.add(RmsNormSpec{.hidden_size = 128}, Target{.arch = "x86-64"});
  REQUIRE_FALSE(added.has_value());
  CHECK(added.error().message.find("/nonexistent/trace.jsonl") != std::string::npos);
}
