#include "codegen/spec_json.h"

#include <algorithm>
#include <string>

#include "codegen/canonical.h"
#include "tests/codegen/spec_variations.h"
#include "tests/support/catch.h"

using lathe::Error;
using lathe::ErrorCode;
using lathe::KernelSpec;
using lathe::RmsNormSpec;
using lathe::codegen::canonical_text;
using lathe::codegen::FieldInfo;
using lathe::codegen::fields_of;
using lathe::codegen::find_op;
using lathe::codegen::spec_from_json;
using lathe::codegen::spec_to_json;

namespace {

Error error_of(std::string_view json) {
  const auto spec = spec_from_json(json);
  INFO(json.substr(0, 200));
  REQUIRE(!spec);
  CHECK(spec.error().code == ErrorCode::invalid_spec);
  CHECK(spec.error().stage == lathe::Stage::validate);
  return spec.error();
}

/// The message for a spec that is right but for one field.
std::string message_with(std::string_view field_and_value) {
  return error_of(R"({"op": "rms_norm", "hidden_size": 8, )" + std::string(field_and_value) + "}").message;
}

}  // namespace

TEST_CASE("a spec is written with every field") {
  CHECK(spec_to_json(RmsNormSpec{.hidden_size = 4096}) ==
        R"({"op":"rms_norm","hidden_size":4096,"dtype":"bf16","has_weight":true,"weight_dtype":null,)"
        R"("weight_offset":0.0,"casting":"gemma","residual":"none","store_rstd":false,"heads":1,)"
        R"("weight_per_head":false,"y_dtype":null,"y_scale":"none","round_to_dtype":false,"alignment":0})");
}

TEST_CASE("what is written is read back, whatever field was changed") {
  const RmsNormSpec spec{.hidden_size = 4096, .weight_offset = 1.0 / 3.0};
  CHECK(spec_from_json(spec_to_json(spec)).value() == KernelSpec(spec));
  for (const auto& [field, changed] : lathe::tests::variations_of(spec)) {
    INFO(field);
    const auto back = spec_from_json(spec_to_json(changed));
    REQUIRE(back);
    CHECK(*back == changed);
    CHECK(canonical_text(*back) == canonical_text(changed));
  }
}

TEST_CASE("fields that are left out have the struct's defaults, in any order") {
  CHECK(spec_from_json(R"({"hidden_size": 64, "op": "rms_norm"})").value() ==
        KernelSpec(RmsNormSpec{.hidden_size = 64}));
  CHECK(spec_from_json(R"({"op": "rms_norm", "hidden_size": 64, "weight_dtype": null})").value() ==
        KernelSpec(RmsNormSpec{.hidden_size = 64}));
  const auto spec = spec_from_json(
      R"({"op": "rms_norm", "casting": "llama", "dtype": "float16", "weight_offset": 1, "hidden_size": 64})");
  CHECK(spec.value() ==
        KernelSpec(RmsNormSpec{
            .hidden_size = 64, .dtype = lathe::f16, .weight_offset = 1, .casting = lathe::Casting::llama}));
}

TEST_CASE("unknown names are answered with the known ones and the nearest") {
  CHECK(
      error_of(R"({"op": "rmsnorm", "hidden_size": 8})").message ==
      R"(op is "rmsnorm", expected one of rms_norm, rope, attention, attention_merge, kv_gather, kv_scatter, rms_norm_backward, linear_cross_entropy; did you mean rms_norm?)");
  const Error field = error_of(R"({"op": "rms_norm", "hiden_size": 8})");
  CHECK(field.message == R"(rms_norm has no field "hiden_size"; did you mean hidden_size?)");
  CHECK(field.hint ==
        "its fields are hidden_size, dtype, has_weight, weight_dtype, weight_offset, casting, residual, "
        "store_rstd, heads, weight_per_head, y_dtype, y_scale, round_to_dtype, alignment");
  CHECK(message_with(R"("dtype": "bf61")") == R"(dtype is "bf61", expected one of f32, f16, bf16)");
  CHECK(message_with(R"("dtype": "BF16")") ==
        R"(dtype is "BF16", expected one of f32, f16, bf16; did you mean bf16?)");
  CHECK(message_with(R"("casting": "lama")") ==
        R"(casting is "lama", expected one of llama, gemma, none; did you mean llama?)");
  CHECK(message_with(R"("residual": "")") ==
        R"(residual is "", expected one of none, round_then_norm, norm_then_round)");
}

TEST_CASE("a value of the wrong type names its field, what came and what was expected") {
  CHECK(message_with(R"("heads": "8")") == R"(heads is "8", expected an integer)");
  CHECK(message_with(R"("heads": null)") == "heads is null, expected an integer");
  CHECK(message_with(R"("heads": true)") == "heads is true, expected an integer");
  CHECK(message_with(R"("heads": 8.0)") ==
        "heads is 8.0, expected an integer of 64 bits, without point or exponent");
  CHECK(message_with(R"("store_rstd": 1)") == "store_rstd is 1, expected true or false");
  CHECK(message_with(R"("weight_offset": "1")") == R"(weight_offset is "1", expected a number)");
  CHECK(message_with(R"("dtype": 16)") == "dtype is 16, expected one of f32, f16, bf16");
  CHECK(message_with(R"("dtype": null)") == "dtype is null, expected one of f32, f16, bf16");
  CHECK(message_with(R"("casting": 0)") == "casting is 0, expected one of llama, gemma, none");
  CHECK(message_with(R"("weight_dtype": [1, 2])") ==
        "weight_dtype is an array, expected one of f32, f16, bf16");
  CHECK(message_with(R"("heads": {"a": 1})") == "heads is an object, expected an integer");
  CHECK(error_of(R"({"op": 3})").message == "op is 3, expected the name of an op");
}

TEST_CASE("integers that 64 bits cannot hold are refused, not wrapped around") {
  CHECK(message_with(R"("heads": 9223372036854775808)") ==
        "heads is 9223372036854775808, expected an integer of 64 bits, 1 to 65536");
  CHECK(message_with(R"("heads": 99999999999999999999)") ==
        "heads is 1e+20, expected an integer of 64 bits, without point or exponent");
  // In 64 bits, though not in range: that is for normalize to say.
  CHECK(spec_from_json(R"({"op": "rms_norm", "hidden_size": -9223372036854775808})").value() ==
        KernelSpec(RmsNormSpec{.hidden_size = INT64_MIN}));
}

TEST_CASE("what is missing is named") {
  CHECK(error_of(R"({"op": "rms_norm"})").message ==
        "rms_norm needs the field hidden_size: elements of a row");
  const Error no_op = error_of(R"({"hidden_size": 8})");
  CHECK(no_op.message == R"(the field "op" is missing)");
  CHECK(no_op.hint ==
        "it is one of rms_norm, rope, attention, attention_merge, kv_gather, kv_scatter, rms_norm_backward, "
        "linear_cross_entropy");
}

TEST_CASE("a field that stands twice is an error, since one of the two would be ignored") {
  CHECK(message_with(R"("hidden_size": 8)") == R"(the field "hidden_size" stands twice)");
}

TEST_CASE("texts that are no JSON object are refused with the place") {
  CHECK(error_of("[1]").message == "a spec is a JSON object, this is array");
  CHECK(error_of("\"rms_norm\"").message == "a spec is a JSON object, this is string");
  CHECK(error_of("{\"op\": }").message.starts_with("not JSON: parse error at line 1, column 8"));
  CHECK(error_of("").message.starts_with("not JSON: "));
  CHECK(error_of("{\"op\": \"rms_norm\"} x").message.starts_with("not JSON: "));
  CHECK(error_of("{\"op\": \"\xff\"}").message.starts_with("not JSON: "));
  CHECK(message_with(R"("weight_offset": 1e999)") == "not JSON: number overflow parsing '1e999'");
}

TEST_CASE("hostile texts cost no more than their length") {
  const std::string deep =
      R"({"op": "rms_norm", "hidden_size": )" + std::string(200'000, '[') + std::string(200'000, ']') + "}";
  CHECK(error_of(deep).message == "hidden_size is an array, expected an integer");
  const std::string longer = "\"" + std::string(1'000'000, 'x') + "\"";
  CHECK(message_with("\"dtype\": " + longer).size() < 200);
  CHECK(message_with("\"heads\": " + longer).size() < 200);
  CHECK(message_with("\"" + std::string(1'000'000, 'x') + "\": 1").size() < 200);
}

TEST_CASE("fields are described for people") {
  const auto fields = fields_of(*find_op("rms_norm"));
  const auto field = [&](std::string_view name) {
    return *std::find_if(fields.begin(), fields.end(), [&](const FieldInfo& f) { return f.name == name; });
  };
  CHECK(fields.size() == 14);
  CHECK(fields.front().name == "hidden_size");
  const FieldInfo hidden = field("hidden_size");
  CHECK(hidden.type == "integer");
  CHECK(hidden.default_value == "required");
  CHECK(hidden.unit == "elements");
  CHECK(hidden.allowed == "1 to 262144");
  CHECK(hidden.doc == "elements of a row");
  CHECK(field("dtype").type == "dtype");
  CHECK(field("dtype").default_value == "\"bf16\"");
  CHECK(field("dtype").allowed == "f32, f16, bf16");
  CHECK(field("weight_dtype").type == "dtype");
  CHECK(field("weight_dtype").default_value == "null");
  CHECK(field("has_weight").type == "boolean");
  CHECK(field("has_weight").default_value == "true");
  CHECK(field("has_weight").allowed == "true, false");
  CHECK(field("weight_offset").type == "number");
  CHECK(field("weight_offset").default_value == "0.0");
  CHECK(field("weight_offset").allowed == "-1e+06 to 1e+06");
  CHECK(field("casting").type == "enum");
  CHECK(field("casting").default_value == "\"gemma\"");
  CHECK(field("casting").allowed == "llama, gemma, none");
  CHECK(field("alignment").allowed == "0, 1, 2, 4, 8, 16");
  CHECK(field("alignment").unit == "bytes");
}
