#include "codegen/ops/rms_norm_backward.h"

#include <cstddef>
#include <set>
#include <string>

#include "codegen/canonical.h"
#include "tests/support/catch.h"

using lathe::Casting;
using lathe::DType;
using lathe::f16;
using lathe::f32;
using lathe::RmsNormBackwardArgs;
using lathe::RmsNormBackwardSpec;
using namespace lathe::codegen;

namespace {

RmsNormBackwardSpec normalized(const RmsNormBackwardSpec& spec) {
  return std::get<RmsNormBackwardSpec>(normalize_rms_norm_backward(spec).value());
}

lathe::Error error_of(const RmsNormBackwardSpec& spec) {
  const auto result = normalize_rms_norm_backward(spec);
  REQUIRE(!result);
  CHECK(result.error().code == lathe::ErrorCode::invalid_spec);
  CHECK(result.error().stage == lathe::Stage::validate);
  return result.error();
}

std::string message_of(const RmsNormBackwardSpec& spec) {
  return error_of(spec).message;
}

/// Names in order, those that a launch must have with "!".
std::string names_of(const RmsNormBackwardSpec& spec) {
  std::string text;
  for (const Argument& argument : arguments_of_rms_norm_backward(normalized(spec))) {
    text += std::string(argument.name) + (argument.required ? "! " : " ");
  }
  return text;
}

}  // namespace

TEST_CASE("rms_norm_backward: normalizing resolves what was left open") {
  CHECK(canonical_text(normalized({.hidden_size = 4096})) ==
        "rms_norm_backward hidden_size=4096 dtype=bf16 has_weight=true weight_dtype=bf16 weight_offset=0 "
        "casting=gemma heads=1 weight_per_head=false has_dresidual=false load_rstd=true store_dx=true "
        "store_dw=true dw_dtype=bf16 accumulate_dw=false alignment=16");
  CHECK(normalized({.hidden_size = 4096, .dtype = f16}).dw_dtype == f16);
  CHECK(normalized({.hidden_size = 4096, .weight_dtype = f32}).dw_dtype == f32);
  CHECK(normalized({.hidden_size = 4096, .dw_dtype = f32}).dw_dtype == f32);
  CHECK(normalized({.hidden_size = 4095}).alignment == 2);
}

TEST_CASE("rms_norm_backward: without a weight there is no dw, however that is spelt") {
  const RmsNormBackwardSpec brief = normalized({.hidden_size = 64, .has_weight = false});
  CHECK(!brief.store_dw);
  CHECK(brief == normalized({.hidden_size = 64, .has_weight = false, .store_dw = false}));
}

TEST_CASE("rms_norm_backward: normalizing twice changes nothing more") {
  const RmsNormBackwardSpec specs[] = {
      {.hidden_size = 4096},
      {.hidden_size = 7, .dtype = f32, .weight_dtype = lathe::bf16, .weight_offset = 0.1},
      {.hidden_size = 128, .has_weight = false, .heads = 32},
      {.hidden_size = 128, .heads = 32, .weight_per_head = true, .dw_dtype = f32, .accumulate_dw = true},
      {.hidden_size = 262144, .casting = Casting::none, .load_rstd = false, .store_dw = false}};
  for (const RmsNormBackwardSpec& spec : specs) {
    const RmsNormBackwardSpec once = normalized(spec);
    CHECK(normalized(once) == once);
  }
}

TEST_CASE("rms_norm_backward: gradients that contradict each other are refused") {
  const lathe::Error nothing = error_of({.hidden_size = 8, .store_dx = false, .store_dw = false});
  CHECK(nothing.message == "rms_norm_backward: store_dx and store_dw are false: nothing is left to do");
  CHECK(nothing.hint == "ask for one of the gradients");
  CHECK(message_of({.hidden_size = 8, .has_weight = false, .store_dx = false}) ==
        "rms_norm_backward: store_dx is false, and without a weight there is no dw");
  const lathe::Error residual = error_of({.hidden_size = 8, .has_dresidual = true, .store_dx = false});
  CHECK(residual.message == "rms_norm_backward: has_dresidual is true, but store_dx is false");
  CHECK(residual.hint == "leave has_dresidual out");
  CHECK(message_of({.hidden_size = 8, .store_dw = false, .accumulate_dw = true}) ==
        "rms_norm_backward: accumulate_dw is true, but there is no dw");
  CHECK(message_of({.hidden_size = 8, .has_weight = false, .accumulate_dw = true}) ==
        "rms_norm_backward: accumulate_dw is true, but there is no dw");
  CHECK(message_of({.hidden_size = 8, .store_dw = false, .dw_dtype = f32}) ==
        "rms_norm_backward: dw_dtype is f32, but there is no dw");
}

TEST_CASE("rms_norm_backward: fields out of range name field, value and range") {
  CHECK(message_of({}) == "rms_norm_backward: hidden_size is 0, allowed are 1 to 262144");
  CHECK(message_of({.hidden_size = 262145}) ==
        "rms_norm_backward: hidden_size is 262145, allowed are 1 to 262144");
  CHECK(message_of({.hidden_size = 8, .heads = 65537}) ==
        "rms_norm_backward: heads is 65537, allowed are 1 to 65536");
  for (const DType dtype : {lathe::e4m3, lathe::e5m2, lathe::i32, lathe::i64, lathe::u8}) {
    const std::string tail = " is " + std::string(lathe::name_of(dtype)) + ", allowed are f32, f16, bf16";
    CHECK(message_of({.hidden_size = 8, .dtype = dtype}) == "rms_norm_backward: dtype" + tail);
    CHECK(message_of({.hidden_size = 8, .weight_dtype = dtype}) == "rms_norm_backward: weight_dtype" + tail);
    CHECK(message_of({.hidden_size = 8, .dw_dtype = dtype}) == "rms_norm_backward: dw_dtype" + tail);
  }
  CHECK(message_of({.hidden_size = 8, .weight_offset = 2e6}) ==
        "rms_norm_backward: weight_offset is 2e+06, allowed are -1e+06 to 1e+06");
  CHECK(message_of({.hidden_size = 8, .casting = static_cast<Casting>(7)}) ==
        "rms_norm_backward: casting is number 7, allowed are llama, gemma, none");
  CHECK(message_of({.hidden_size = 8, .dtype = f32, .alignment = 2}) ==
        "rms_norm_backward: alignment is 2 bytes, less than an element of f32, which has 4");
}

TEST_CASE("rms_norm_backward: without a weight, what describes one is refused") {
  CHECK(message_of({.hidden_size = 8, .has_weight = false, .weight_dtype = f32}) ==
        "rms_norm_backward: weight_dtype is f32, but has_weight is false");
  CHECK(message_of({.hidden_size = 8, .has_weight = false, .weight_offset = 1}) ==
        "rms_norm_backward: weight_offset is 1, but has_weight is false");
  CHECK(message_of({.hidden_size = 8, .has_weight = false, .heads = 2, .weight_per_head = true}) ==
        "rms_norm_backward: weight_per_head is true, but has_weight is false");
}

TEST_CASE("rms_norm_backward: the arguments of a spec are those of its tensors") {
  CHECK(names_of({.hidden_size = 8}) ==
        "dy! x! weight! rstd! dx! dw! rows dy_row_stride x_row_stride dx_row_stride workspace ");
  CHECK(names_of({.hidden_size = 8, .has_weight = false, .load_rstd = false}) ==
        "dy! x! dx! rows epsilon dy_row_stride x_row_stride dx_row_stride workspace ");
  CHECK(names_of({.hidden_size = 8, .store_dx = false}) ==
        "dy! x! rstd! dw! rows dy_row_stride x_row_stride workspace ");
  CHECK(names_of({.hidden_size = 8, .heads = 2, .has_dresidual = true, .store_dw = false}) ==
        "dy! x! weight! rstd! dresidual! dx! rows dy_row_stride x_row_stride dresidual_row_stride "
        "dx_row_stride dy_head_stride x_head_stride dresidual_head_stride dx_head_stride workspace ");
}

TEST_CASE("rms_norm_backward: each argument knows its kind, dtype, shape and place") {
  std::set<std::size_t> offsets;
  const RmsNormBackwardSpec spec = normalized({.hidden_size = 8,
                                               .heads = 2,
                                               .weight_per_head = true,
                                               .has_dresidual = true,
                                               .dw_dtype = f32,
                                               .accumulate_dw = true});
  for (const Argument& argument : arguments_of_rms_norm_backward(spec)) {
    INFO(argument.name);
    CHECK(offsets.insert(argument.offset).second);
    CHECK(argument.offset < sizeof(RmsNormBackwardArgs));
    CHECK(!argument.doc.empty());
    if (argument.name == "dx") {
      CHECK(argument.kind == ArgumentKind::output);
      CHECK(argument.dtype == lathe::bf16);
      CHECK(argument.offset == offsetof(RmsNormBackwardArgs, dx));
      REQUIRE(argument.shape.size() == 3);
      CHECK(argument.shape[0].symbol == "rows");
      CHECK(argument.shape[1].constant == 2);
      CHECK(argument.shape[2].constant == 8);
    } else if (argument.name == "dw") {
      CHECK(argument.kind == ArgumentKind::update);  // it accumulates
      CHECK(argument.dtype == f32);
      REQUIRE(argument.shape.size() == 2);
      CHECK(argument.shape[0].constant == 2);
    } else if (argument.name == "rstd") {
      CHECK(argument.kind == ArgumentKind::input);
      CHECK(argument.dtype == f32);
      CHECK(argument.shape.size() == 2);
    }
  }
}
