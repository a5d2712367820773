// lathe spec
#include "codegen/op.h"
#include "codegen/spec_json.h"
#include "tests/support/catch.h"
#include "tests/tools/program_run.h"

using namespace lathe;
using tests::run_lathe;

TEST_CASE("Without an op, spec lists all of them") {
  const auto run = run_lathe({"spec"});
  CHECK(run.code == 0);
  CHECK(run.err.empty());
  for (const codegen::Op& op : codegen::all_ops())
    CHECK(run.out.find("\n" + std::string(op.name)) != std::string::npos);
  CHECK(run_lathe({"spec", "--json"}).line().at("ops").size() == codegen::all_ops().size());
}

TEST_CASE("An op's fields come with type, default, unit, allowed values and meaning") {
  const auto run = run_lathe({"spec", "rms_norm"});
  CHECK(run.code == 0);
  const auto json = run_lathe({"spec", "rms_norm", "--json"}).line();
  const auto fields = codegen::fields_of(*codegen::find_op("rms_norm"));
  REQUIRE(json.at("fields").size() == fields.size());
  for (std::size_t i = 0; i < fields.size(); ++i) {
    CHECK(run.out.find("\n" + fields[i].name) != std::string::npos);
    CHECK(json["fields"][i].at("name") == fields[i].name);
    CHECK(json["fields"][i].at("allowed") == fields[i].allowed);
    CHECK(json["fields"][i].at("required") == !json["fields"][i].contains("default"));
  }
}

TEST_CASE("An unknown op is refused with the nearest one") {
  const auto run = run_lathe({"spec", "rms_nrm"});
  CHECK(run.code == 1);
  CHECK(run.out.empty());
  CHECK(run.err.find("there is no op \"rms_nrm\"; did you mean rms_norm?") != std::string::npos);
}

TEST_CASE("Presets are listed by name and printed as specs that can be run") {
  const auto list = run_lathe({"spec", "kv_gather", "--presets"});
  CHECK(list.code == 0);
  CHECK(list.out.find("\nflash_nhd-2ltd") != std::string::npos);
  CHECK(run_lathe({"spec", "kv_scatter", "--presets", "--json"}).line().at("presets").size() > 60);
  const auto spec = run_lathe({"spec", "kv_gather", "--preset", "flash_nhd-2ltd"});
  CHECK(spec.code == 0);
  CHECK(codegen::spec_from_json(spec.out).has_value());
  CHECK(run_lathe({"spec", "kv_scatter", "--preset", "reshape_and_cache"}).code == 0);
  CHECK(run_lathe({"spec", "kv_gather", "--preset", "flash"}).err.find("there is no preset \"flash\"") !=
        std::string::npos);
  CHECK(run_lathe({"spec", "rms_norm", "--presets"}).err.find("rms_norm has no presets") !=
        std::string::npos);
}
