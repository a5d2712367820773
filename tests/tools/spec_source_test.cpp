#include "tools/lathe/spec_source.h"

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tools/lathe/files.h"

using namespace lathe;

TEST_CASE("A spec is read from text and from a file, with its defaults resolved") {
  const tests::TempDir directory;
  const std::string path = (directory.path() / "s.json").string();
  const std::string text = R"({"op": "rms_norm", "hidden_size": 64})";
  REQUIRE(tools::write_file(path, text));
  const auto inline_spec = tools::read_spec("  " + text);
  REQUIRE(inline_spec);
  CHECK(*inline_spec == *tools::read_spec(path));
  CHECK(std::get<RmsNormSpec>(*inline_spec).alignment == 16);
}

TEST_CASE("What is wrong with a file comes with its name") {
  const tests::TempDir directory;
  const std::string path = (directory.path() / "s.json").string();
  REQUIRE(tools::write_file(path, R"({"op": "rms_norm", "hidden_size": 0})"));
  const auto spec = tools::read_spec(path);
  REQUIRE_FALSE(spec);
  CHECK(spec.error().message.find(path + ": ") == 0);
  CHECK(spec.error().message.find("hidden_size is 0") != std::string::npos);
}

TEST_CASE("The short name has what differs from the defaults") {
  CHECK(tools::short_name(RmsNormSpec{.hidden_size = 64}) == "rms_norm 64 bf16");
  CHECK(tools::short_name(
            RmsNormSpec{.hidden_size = 64, .dtype = f16, .casting = Casting::llama, .heads = 8}) ==
        "rms_norm 64 f16 casting=llama heads=8");
}
