#include "codegen/ops/rms_norm.h"

#include <limits>
#include <string>

#include "codegen/canonical.h"
#include "tests/support/catch.h"

using lathe::bf16;
using lathe::Casting;
using lathe::DType;
using lathe::f16;
using lathe::f32;
using lathe::KernelSpec;
using lathe::OutputScale;
using lathe::Residual;
using lathe::RmsNormSpec;
using lathe::codegen::canonical_text;
using lathe::codegen::normalize_rms_norm;

namespace {

RmsNormSpec normalized(const RmsNormSpec& spec) {
  return std::get<RmsNormSpec>(normalize_rms_norm(spec).value());
}

std::string message_of(const RmsNormSpec& spec) {
  const auto result = normalize_rms_norm(spec);
  REQUIRE(!result);
  CHECK(result.error().code == lathe::ErrorCode::invalid_spec);
  CHECK(result.error().stage == lathe::Stage::validate);
  return result.error().message;
}

}  // namespace

TEST_CASE("normalizing resolves what was left open") {
  CHECK(
      canonical_text(normalized({.hidden_size = 4096})) ==
      "rms_norm hidden_size=4096 dtype=bf16 has_weight=true weight_dtype=bf16 weight_offset=0 "
      "casting=gemma residual=none store_rstd=false heads=1 weight_per_head=false y_dtype=bf16 y_scale=none "
      "round_to_dtype=false alignment=16");
  CHECK(normalized({.hidden_size = 4096, .dtype = f16}).weight_dtype == f16);
  CHECK(normalized({.hidden_size = 4096, .weight_dtype = f32}).weight_dtype == f32);
}

TEST_CASE("the alignment follows from tightly packed rows") {
  const auto alignment = [](std::int64_t hidden, DType dtype) {
    return normalized({.hidden_size = hidden, .dtype = dtype}).alignment;
  };
  CHECK(alignment(1, f32) == 4);
  CHECK(alignment(2, f32) == 8);
  CHECK(alignment(6, f32) == 8);
  CHECK(alignment(4, f32) == 16);
  CHECK(alignment(1, bf16) == 2);
  CHECK(alignment(4095, bf16) == 2);
  CHECK(alignment(4098, bf16) == 4);
  CHECK(alignment(4100, f16) == 8);
  CHECK(alignment(262144, f16) == 16);
}

TEST_CASE("an alignment that is given is kept, also one that only padded rows have") {
  CHECK(normalized({.hidden_size = 4096, .alignment = 2}).alignment == 2);
  CHECK(normalized({.hidden_size = 5, .alignment = 16}).alignment == 16);
  CHECK(message_of({.hidden_size = 8, .alignment = 3}) ==
        "rms_norm: alignment is 3, allowed are 0, 1, 2, 4, 8, 16");
  CHECK(message_of({.hidden_size = 8, .alignment = 32}) ==
        "rms_norm: alignment is 32, allowed are 0, 1, 2, 4, 8, 16");
  CHECK(message_of({.hidden_size = 8, .alignment = 1}) ==
        "rms_norm: alignment is 1 bytes, less than an element of bf16, which has 2");
  CHECK(message_of({.hidden_size = 8, .dtype = f32, .alignment = 2}) ==
        "rms_norm: alignment is 2 bytes, less than an element of f32, which has 4");
}

TEST_CASE("normalizing twice changes nothing more") {
  const RmsNormSpec specs[] = {
      {.hidden_size = 4096},
      {.hidden_size = 7, .dtype = f32, .weight_dtype = bf16, .weight_offset = 0.1},
      {.hidden_size = 128, .has_weight = false, .store_rstd = true, .heads = 32},
      {.hidden_size = 262144, .dtype = f16, .casting = Casting::none, .residual = Residual::norm_then_round}};
  for (const RmsNormSpec& spec : specs) {
    const RmsNormSpec once = normalized(spec);
    CHECK(normalized(once) == once);
  }
}

TEST_CASE("two spellings of one kernel become one") {
  const RmsNormSpec brief{.hidden_size = 64, .dtype = f32};
  const RmsNormSpec full{.hidden_size = 64, .dtype = f32, .weight_dtype = f32, .alignment = 16};
  CHECK(normalized(brief) == normalized(full));
  // Kernels compute in fp32: these two offsets are the same float.
  const RmsNormSpec nearly{.hidden_size = 64, .weight_offset = 1.0 + 1e-12};
  CHECK(normalized(nearly) == normalized({.hidden_size = 64, .weight_offset = 1.0}));
  CHECK(canonical_text(normalized({.hidden_size = 64, .weight_offset = -0.0})) ==
        canonical_text(normalized({.hidden_size = 64})));
}

TEST_CASE("fields out of range name field, value and range") {
  CHECK(message_of({}) == "rms_norm: hidden_size is 0, allowed are 1 to 262144");
  CHECK(message_of({.hidden_size = -1}) == "rms_norm: hidden_size is -1, allowed are 1 to 262144");
  CHECK(message_of({.hidden_size = 262145}) == "rms_norm: hidden_size is 262145, allowed are 1 to 262144");
  CHECK(message_of({.hidden_size = 8, .heads = 0}) == "rms_norm: heads is 0, allowed are 1 to 65536");
  CHECK(message_of({.hidden_size = 8, .heads = 65537}) == "rms_norm: heads is 65537, allowed are 1 to 65536");
  for (const DType dtype : {lathe::e4m3, lathe::e5m2, lathe::i32, lathe::i64, lathe::u8}) {
    const std::string name(lathe::name_of(dtype));
    CHECK(message_of({.hidden_size = 8, .dtype = dtype}) ==
          "rms_norm: dtype is " + name + ", allowed are f32, f16, bf16");
    CHECK(message_of({.hidden_size = 8, .weight_dtype = dtype}) ==
          "rms_norm: weight_dtype is " + name + ", allowed are f32, f16, bf16");
  }
  CHECK(message_of({.hidden_size = 8, .weight_offset = 2e6}) ==
        "rms_norm: weight_offset is 2e+06, allowed are -1e+06 to 1e+06");
  CHECK(message_of({.hidden_size = 8, .weight_offset = std::numeric_limits<double>::quiet_NaN()}) ==
        "rms_norm: weight_offset is nan, allowed are -1e+06 to 1e+06");
  CHECK(message_of({.hidden_size = 8, .casting = static_cast<Casting>(7)}) ==
        "rms_norm: casting is number 7, allowed are llama, gemma, none");
}

TEST_CASE("without a weight, what describes one is refused") {
  CHECK(message_of({.hidden_size = 8, .has_weight = false, .weight_dtype = f32}) ==
        "rms_norm: weight_dtype is f32, but has_weight is false");
  CHECK(message_of({.hidden_size = 8, .has_weight = false, .weight_offset = 1}) ==
        "rms_norm: weight_offset is 1, but has_weight is false");
  // The dtype that normalizing itself fills in.
  CHECK(normalized({.hidden_size = 8, .has_weight = false, .weight_dtype = bf16}).weight_dtype == bf16);
}

TEST_CASE("the smallest and the largest spec are in range") {
  CHECK(normalize_rms_norm(RmsNormSpec{.hidden_size = 1, .heads = 65536}));
  CHECK(normalize_rms_norm(RmsNormSpec{.hidden_size = 262144, .weight_offset = -1e6}));
}

TEST_CASE("y has x's dtype, or one of its own, and only fp8 is scaled") {
  CHECK(normalized({.hidden_size = 8, .dtype = f16}).y_dtype == f16);
  CHECK(normalized({.hidden_size = 8, .y_dtype = lathe::e4m3}).y_dtype == lathe::e4m3);
  CHECK(message_of({.hidden_size = 8, .y_dtype = lathe::i32}) ==
        "rms_norm: y_dtype is i32, allowed are f32, f16, bf16, e4m3, e5m2");
  CHECK(message_of({.hidden_size = 8, .y_scale = OutputScale::per_row}) ==
        "rms_norm: y_scale is per_row, but y_dtype is bf16");
  CHECK(message_of({.hidden_size = 8, .y_dtype = f32, .y_scale = OutputScale::given}) ==
        "rms_norm: y_scale is given, but y_dtype is f32");
}

TEST_CASE("a rounding that changes nothing makes no other kernel") {
  CHECK(!normalized({.hidden_size = 8, .round_to_dtype = true}).round_to_dtype);
  CHECK(
      !normalized({.hidden_size = 8, .dtype = f32, .y_dtype = bf16, .round_to_dtype = true}).round_to_dtype);
  CHECK(normalized({.hidden_size = 8, .y_dtype = lathe::e4m3, .round_to_dtype = true}).round_to_dtype);
  // In Casting::none every step is rounded, the last too.
  CHECK(normalized({.hidden_size = 8, .casting = Casting::none, .y_dtype = lathe::e5m2}).round_to_dtype);
}

TEST_CASE("a weight per head needs heads and a weight") {
  CHECK(normalized({.hidden_size = 8, .heads = 2, .weight_per_head = true}).weight_per_head);
  CHECK(!normalized({.hidden_size = 8, .weight_per_head = true}).weight_per_head);
  CHECK(message_of({.hidden_size = 8, .has_weight = false, .heads = 2, .weight_per_head = true}) ==
        "rms_norm: weight_per_head is true, but has_weight is false");
}
