#include "tools/lathe/manifest.h"

#include "tests/support/catch.h"

using namespace lathe;
using tools::parse_manifest;

namespace {
const std::string kSpec = R"({"op": "rms_norm", "hidden_size": 64})";
const std::string kOther = R"({"op": "rms_norm", "hidden_size": 128})";
}  // namespace

TEST_CASE("A manifest's specs and targets are read, each once") {
  const auto manifest = parse_manifest(R"({"version": 1, "specs": [)" + kSpec + "," + kSpec + "," + kOther +
                                           R"(], "targets": ["sm_80", "cuda:sm_90a"], "notes": ["n"]})",
                                       "m");
  REQUIRE(manifest);
  CHECK(manifest->items.size() == 2);
  REQUIRE(manifest->targets.size() == 2);
  CHECK(manifest->targets[0].text() == "cuda:sm_80");
}

TEST_CASE("A trace's lines are read, with and without a target") {
  const auto manifest =
      parse_manifest(kSpec + "\n\n" + R"({"spec": )" + kOther + R"(, "target": "cuda:sm_90a"})" + "\n", "t");
  REQUIRE(manifest);
  REQUIRE(manifest->items.size() == 2);
  CHECK_FALSE(manifest->items[0].target);
  CHECK(manifest->items[1].target->text() == "cuda:sm_90a");
}

TEST_CASE("A trace of one line is not mistaken for a manifest") {
  CHECK(parse_manifest(kSpec, "t"));
  CHECK(parse_manifest(R"({"spec": )" + kSpec + "}\n", "t"));
}

TEST_CASE("A last line that was cut off is skipped, one in the middle is not") {
  const auto torn = parse_manifest(kSpec + "\n" + kOther.substr(0, 10), "t");
  REQUIRE(torn);
  CHECK(torn->items.size() == 1);
  const auto damaged = parse_manifest(kOther.substr(0, 10) + "\n" + kSpec + "\n", "t");
  REQUIRE_FALSE(damaged);
  CHECK(damaged.error().message.find("t:1: ") == 0);
}

TEST_CASE("What is wrong is told with its place") {
  const auto version = parse_manifest(R"({"version": 2, "specs": []})", "m");
  REQUIRE_FALSE(version);
  CHECK(version.error().message == "m: version is 2, this program reads version 1");
  const auto member = parse_manifest(R"({"version": 1, "spec_s": []})", "m");
  REQUIRE_FALSE(member);
  CHECK(member.error().message == "m: unknown member \"spec_s\"; did you mean specs?");
  const auto field =
      parse_manifest(R"({"version": 1, "specs": [)" + kSpec + R"(, {"op": "rms_norm", "hidden": 1}]})", "m");
  REQUIRE_FALSE(field);
  CHECK(field.error().message.find("m: specs[1]: ") == 0);
  CHECK_FALSE(parse_manifest(R"({"version": 1, "specs": []})", "m"));
  CHECK_FALSE(parse_manifest("", "m"));
  CHECK_FALSE(parse_manifest(R"({"version": 1, "specs": [)" + kSpec + R"(], "targets": ["sm90"]})", "m"));
  const auto none = parse_manifest(R"({"version": 1})", "m");
  REQUIRE_FALSE(none);
  CHECK(none.error().message == "m: specs is not an array");
}
