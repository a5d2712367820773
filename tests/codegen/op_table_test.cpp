#include <set>
#include <string_view>

#include "codegen/op.h"
#include "codegen/spec_json.h"
#include "tests/support/catch.h"

using lathe::KernelSpec;
using lathe::RmsNormSpec;
using namespace lathe::codegen;

TEST_CASE("every op is found by its name and by its spec") {
  std::set<std::string_view> names;
  for (const Op& op : all_ops()) {
    INFO(op.name);
    CHECK(names.insert(op.name).second);
    CHECK(find_op(op.name) == &op);
    CHECK(!op.summary.empty());
    CHECK(op.args_size > 0);
    CHECK(!fields_of(op).empty());
    CHECK(op.normalize != nullptr);
    CHECK(op.plan != nullptr);
    CHECK(op.prepare != nullptr);
    CHECK(op.arguments != nullptr);
  }
  CHECK(all_ops().size() == std::variant_size_v<KernelSpec>);
  CHECK(op_of(RmsNormSpec{}).name == "rms_norm");
}

TEST_CASE("a name that is no op's finds nothing") {
  CHECK(find_op("") == nullptr);
  CHECK(find_op("rms") == nullptr);
  CHECK(find_op("rms_norm ") == nullptr);
  CHECK(find_op("RMS_NORM") == nullptr);
}
