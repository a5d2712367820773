// lathe plan
#include "tests/support/catch.h"
#include "tests/tools/program_run.h"
#include "tools/lathe/files.h"
#include "tools/lathe/manifest.h"

using namespace lathe;
using tests::run_lathe;

namespace {
std::string data(const std::string& file) {
  return std::string(LATHE_TEST_DATA) + "/" + file;
}
}  // namespace

TEST_CASE("A plan is a manifest that precompile reads") {
  for (const char* file : {"llama-3.1-8b.json", "mistral-7b-v0.1.json", "qwen2.5-7b.json", "qwen3-8b.json",
                           "gemma-2-9b.json", "deepseek-v3.json", "gpt-oss-20b.json"}) {
    INFO(file);
    const auto run = run_lathe({"plan", "--config", data(file), "--target", "sm_80,sm_90a"});
    CHECK(run.code == 0);
    CHECK(run.err.empty());
    const auto manifest = tools::parse_manifest(run.out, file);
    REQUIRE(manifest);
    CHECK(manifest->items.size() >= 2);
    CHECK(manifest->targets.size() == 2);
  }
}

TEST_CASE("Each use says which spec, how often and where") {
  const auto plan = run_lathe({"plan", "--config", data("qwen3-8b.json"), "--json"}).line();
  CHECK(plan.at("version") == 1);
  CHECK(plan.at("model") == "qwen3");
  REQUIRE(plan.at("uses").size() == plan.at("specs").size());
  const auto& rope = plan["uses"][2];
  CHECK(rope.at("where") == "rotary embedding");
  CHECK(rope.at("count") == 36);
  CHECK(plan["specs"][rope.at("spec").get<std::size_t>()].at("heads") == 32);
}

TEST_CASE("An unknown architecture is planned with a warning on stderr and a note in the manifest") {
  auto text = tools::read_file(data("llama-3.1-8b.json"));
  REQUIRE(text);
  text->replace(text->find("\"llama\""), 7, "\"lllama\"");
  const auto run = run_lathe({"plan", "--config", "-", "--json"}, {.input = *text});
  CHECK(run.code == 0);
  CHECK(run.err.find("warning: there are no rules for the architecture \"lllama\"") == 0);
  CHECK(run.line().at("notes").size() == 1);
}

TEST_CASE("A file that is not there or not a configuration is wrong usage") {
  CHECK(run_lathe({"plan", "--config", "/nonexistent.json"}).code == 1);
  const auto run = run_lathe({"plan", "--config", "-"}, {.input = "{}"});
  CHECK(run.code == 1);
  CHECK(run.err.find("standard input: model_type is nothing") != std::string::npos);
  CHECK(run_lathe({"plan", "--config", data("llama-3.1-8b.json"), "--target", "sm90"}).code == 1);
}
