// What a launch of rms_norm is checked for where y has a dtype and scales of its own, and which arguments
// there are.
#include <array>
#include <cmath>
#include <cstdint>
#include <set>
#include <string>

#include "codegen/ops/rms_norm.h"
#include "tests/support/catch.h"

using namespace lathe;
using namespace lathe::codegen;

namespace {

void* address(std::uintptr_t number, std::uintptr_t offset = 0) {
  return reinterpret_cast<void*>(number * 0x1000'0000 + offset);
}

/// Tightly packed arguments for 3 tokens.
RmsNormArgs packed_args() {
  return {.x = address(1),
          .weight = address(2),
          .y = address(3),
          .rows = 3,
          .y_scale_in = static_cast<const float*>(address(7)),
          .y_scale_out = static_cast<float*>(address(8)),
          .workspace = address(9),
          .workspace_bytes = 1 << 20};
}

RmsNormSpec fp8_spec(OutputScale scale) {
  return {.hidden_size = 256, .y_dtype = e4m3, .y_scale = scale};
}

/// As a kernel for a GPU of 10 processors: four rows a block.
Result<Grids> prepare(const RmsNormSpec& given, RmsNormArgs& args) {
  const KernelSpec spec = normalize_rms_norm(given).value();
  const std::array<EntryPoint, 3> entries{{{"amax", {.block = {128}, .work_per_block = 4}},
                                           {"scale", {.block = {256}}},
                                           {"norm", {.block = {128}, .work_per_block = 4}}}};
  const auto count = given.y_scale == OutputScale::per_tensor ? 3u : 1u;
  return prepare_rms_norm(spec, {.entries = std::span(entries).last(count), .processors = 10},
                          std::as_writable_bytes(std::span(&args, 1)));
}

template <class Change>
std::string refusal_after(const RmsNormSpec& spec, Change change) {
  RmsNormArgs args = packed_args();
  change(args);
  const auto grids = prepare(spec, args);
  REQUIRE(!grids);
  CHECK(grids.error().code == ErrorCode::invalid_argument);
  return grids.error().message;
}

}  // namespace

TEST_CASE("scales are where the spec has them") {
  CHECK(refusal_after(fp8_spec(OutputScale::given), [](auto& a) { a.y_scale_in = nullptr; }) ==
        "rms_norm: y_scale_in is null");
  CHECK(refusal_after(fp8_spec(OutputScale::per_row), [](auto& a) { a.y_scale_out = nullptr; }) ==
        "rms_norm: y_scale_out is null");
  CHECK(refusal_after(fp8_spec(OutputScale::per_row), [](auto& a) { a.amax_floor = 0; }) ==
        "rms_norm: amax_floor is 0, it must be finite and 1e-30 or larger");
  CHECK(refusal_after(fp8_spec(OutputScale::per_row), [](auto& a) {
          a.amax_floor = NAN;
        }).find("amax_floor is nan") != std::string::npos);
  RmsNormArgs args = packed_args();
  args.amax_floor = 0;  // not used
  args.y_scale_out = nullptr;
  CHECK(prepare(fp8_spec(OutputScale::given), args));
}

TEST_CASE("strides of scales are filled in, and no two scales are one float") {
  RmsNormSpec spec = fp8_spec(OutputScale::per_block);
  spec.heads = 4;
  RmsNormArgs args = packed_args();
  REQUIRE(prepare(spec, args));
  CHECK(args.y_scale_block_stride == 1);
  CHECK(args.y_scale_head_stride == 2);
  CHECK(args.y_scale_row_stride == 8);
  args = packed_args();
  args.y_scale_block_stride = 12;  // blocks outside
  args.y_scale_row_stride = 4;
  args.y_scale_head_stride = 1;
  CHECK(prepare(spec, args));
  CHECK(
      refusal_after(spec, [](auto& a) { a.y_scale_row_stride = 7; }) ==
      "rms_norm: y_scale_out: strides of 7, 2 and 1 floats give two scales the same place, or lie beyond any "
      "memory");
  CHECK(refusal_after(spec, [](auto& a) { a.y_scale_block_stride = -1; }).find("strides of 8, 2 and -1") !=
        std::string::npos);
  CHECK(refusal_after(spec, [](auto& a) {
          a.y_scale_row_stride = Index{1} << 62;
        }).find("beyond any memory") != std::string::npos);
}

TEST_CASE("y is aligned for as many elements as x is") {
  // 16 bytes of bf16 are 8 elements: 8 bytes of e4m3, 32 of f32, of which no access takes more than 16.
  RmsNormArgs args = packed_args();
  args.y = address(3, 8);
  CHECK(prepare(fp8_spec(OutputScale::none), args));
  CHECK(refusal_after(fp8_spec(OutputScale::none), [](auto& a) {
          a.y = address(3, 4);
        }).find("not a multiple of 8 bytes") != std::string::npos);
  CHECK(refusal_after({.hidden_size = 256, .y_dtype = f32}, [](auto& a) {
          a.y = address(3, 8);
        }).find("not a multiple of 16 bytes") != std::string::npos);
  args = packed_args();
  args.y_row_stride = 260;
  const auto grids = prepare(fp8_spec(OutputScale::none), args);
  REQUIRE(!grids);
  CHECK(grids.error().message ==
        "rms_norm: y_row_stride is 260 elements of 1 bytes, not a multiple of 8 bytes");
  CHECK(grids.error().hint == "pad the rows, or compile the kernel with alignment=8");
}

TEST_CASE("in place needs the same dtype") {
  CHECK(refusal_after(fp8_spec(OutputScale::none), [](auto& a) { a.y = const_cast<void*>(a.x); }) ==
        "rms_norm: y is x, but has elements of e4m3 against bf16");
}

TEST_CASE("a scale per tensor takes three steps, and a workspace for the first") {
  const RmsNormSpec spec = fp8_spec(OutputScale::per_tensor);
  const KernelSpec normalized = normalize_rms_norm(spec).value();
  RmsNormArgs args = packed_args();
  args.rows = 10000;
  const auto grids = prepare(spec, args);
  REQUIRE(grids);
  CHECK((*grids)[0].x == 160);  // sixteen blocks of 128 threads on each processor
  CHECK((*grids)[1].x == 1);
  CHECK((*grids)[2].x == 2500);
  CHECK(args.partials == 160);
  CHECK(refusal_after(spec, [](auto& a) { a.workspace_bytes = 3; }) ==
        "rms_norm: workspace_bytes is 3, this launch needs 4");
  CHECK(refusal_after(spec, [](auto& a) { a.workspace = nullptr; }) == "rms_norm: workspace is null");
  args.rows = 0;
  CHECK((*prepare(spec, args))[0].x == 0);
}
