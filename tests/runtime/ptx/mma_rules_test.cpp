// What mma needs of the lanes of a warp and of its registers, and which forms are refused.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tests/runtime/ptx/mma_reference.h"
#include "tests/support/catch.h"
#include "tests/support/ptx_warp.h"

using namespace lathe::tests;
using namespace lathe::tests::mma;

namespace {

constexpr std::string_view kZeros = "  mov.b32 r0, 0;\n  mov.b64 l0, 0;\n";
constexpr std::string_view kProduct =
    "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {r1, r2, r3, r4}, {r0, r0, r0, r0}, {r0, r0}, "
    "{r0, r0, r0, r0};\n";

std::string error_of(std::string_view instructions, unsigned lanes = kWarpLanes) {
  return warp_error(std::string(kZeros) + std::string(instructions), lanes);
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// Which elements of D a kernel may store when one lane never wrote one register: those of which the store is
/// not reported. The registers are those of A, B and C in one row.
std::vector<bool> defined_elements(unsigned undefined_register, unsigned undefined_lane) {
  std::vector<bool> defined(16 * 8);
  std::string loads = fmt::format("  setp.ne.u32 p, lane, {};\n", undefined_lane);
  for (unsigned i = 0; i < 10; ++i)
    loads += fmt::format("  {}mov.b32 r{}, 0;\n", i == undefined_register ? "@p " : "", i);
  const std::string body = loads +
                           "  mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {r10, r11, r12, r13}, "
                           "{r0, r1, r2, r3}, {r4, r5}, {r6, r7, r8, r9};\n";
  for (unsigned lane = 0; lane < 32; ++lane) {
    for (unsigned i = 0; i < 4; ++i) {
      const At at = place_in_c(lane / 4, lane % 4, i);
      const std::string store =
          fmt::format("  setp.eq.u32 q, lane, {};\n  @q st.global.b32 [to], r{};\n", lane, 10 + i);
      defined[at.row * 8 + at.column] = warp_error(body + store).empty();
    }
  }
  return defined;
}

std::vector<bool> all_but(std::optional<unsigned> row, std::optional<unsigned> column) {
  std::vector<bool> defined;
  for (unsigned i = 0; i < 128; ++i) {
    const bool is_hit = (!row || i / 8 == *row) && (!column || i % 8 == *column);
    defined.push_back(!is_hit);
  }
  return defined;
}

}  // namespace

TEST_CASE("an element of D is undefined where what it is computed from is") {
  CHECK(defined_elements(10, 0) == std::vector<bool>(128, true));
  CHECK(defined_elements(0, 9) == all_but(2, std::nullopt));    // A, row 2
  CHECK(defined_elements(3, 31) == all_but(15, std::nullopt));  // A, row 7 + 8
  CHECK(defined_elements(5, 22) == all_but(std::nullopt, 5));   // B, column 5
  CHECK(defined_elements(6, 13) == all_but(3, 2));              // C, row 3, column 2
  CHECK(defined_elements(9, 13) == all_but(11, 3));
}

TEST_CASE("mma needs all lanes of a whole warp") {
  CHECK(error_of(kProduct).empty());
  CHECK(has(error_of(kProduct, 16), "the warp has only 16 threads"));
  const std::string guarded = fmt::format("  setp.lt.u32 p, lane, 31;\n  @p {}", kProduct);
  CHECK(has(error_of(guarded), "lanes 0x80000000 of the warp are kept out by the guard"));
  const std::string exited = fmt::format("  setp.eq.u32 p, lane, 4;\n  @p exit;\n  {}", kProduct);
  CHECK(has(error_of(exited), "lanes 0x00000010 of the warp have exited"));
  const std::string elsewhere = fmt::format(
      "  setp.eq.u32 p, lane, 4;\n  @p bra other;\n  {}  bar.warp.sync -1;\n  bra end;\nother:\n"
      "  bar.warp.sync -1;\nend:\n",
      kProduct);
  CHECK(has(error_of(elsewhere), "divergent lanes"));
}

TEST_CASE("mma whose guard is the same for all lanes is done or not") {
  CHECK(
      error_of(fmt::format("  setp.eq.u32 p, r0, 0;\n  @p {}  st.global.b32 [to], r1;\n", kProduct)).empty());
  CHECK(error_of(fmt::format("  setp.eq.u32 p, r0, 0;\n  @!p {}", kProduct)).empty());
}

TEST_CASE("lanes that diverged meet again before mma") {
  const std::string met = fmt::format(
      "  setp.lt.u32 p, lane, 7;\n  @p bra low;\n  mov.b32 r5, 1;\n  bra both;\nlow:\n  mov.b32 r5, 2;\n"
      "both:\n  {}  st.global.b32 [to], r1;\n",
      kProduct);
  CHECK(error_of(met).empty());
}

TEST_CASE("forms of mma that are not run are refused") {
  const auto refuses = [](std::string_view form, std::string_view operands, std::string_view why) {
    const std::string error = error_of(fmt::format("  {} {};\n", form, operands));
    INFO(form << ": " << error);
    CHECK(has(error, why));
  };
  constexpr std::string_view kOperands = "{r1, r2, r3, r4}, {r0, r0, r0, r0}, {r0, r0}, {r0, r0, r0, r0}";
  refuses("mma.sync.m16n8k16.row.col.f32.f16.f16.f32", kOperands, ".sync.aligned is missing");
  refuses("mma.sync.aligned.m16n8k16.col.row.f32.f16.f16.f32", kOperands,
          "a shape and .row.col are expected");
  refuses("mma.sync.aligned.m16n8k16.f32.f16.f16.f32", kOperands, "a shape and .row.col are expected");
  refuses("mma.sp.sync.aligned.m16n8k32.row.col.f32.f16.f16.f32", kOperands, "sparse, scaled");
  refuses("mma.sync.aligned.kind::f8f6f4.m16n8k32.row.col.f32.e4m3.e4m3.f32", kOperands, "sparse, scaled");
  constexpr std::string_view kNoSuch = "there is no mma of this shape and these types";
  refuses("mma.sync.aligned.m16n8k32.row.col.f32.f16.f16.f32", kOperands, kNoSuch);
  refuses("mma.sync.aligned.m16n8k16.row.col.f32.f16.bf16.f32", kOperands, kNoSuch);
  refuses("mma.sync.aligned.m16n8k16.row.col.f16.bf16.bf16.f16", kOperands, kNoSuch);
  refuses("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f16", kOperands, kNoSuch);
  refuses("mma.sync.aligned.m16n8k16.row.col.satfinite.f32.f16.f16.f32", kOperands, kNoSuch);
  refuses("mma.sync.aligned.m16n8k32.row.col.f32.s8.s8.f32", kOperands, kNoSuch);
  refuses("mma.sync.aligned.m16n8k16.row.col.s32.f16.f16.s32", kOperands, kNoSuch);
  refuses("mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32", kOperands, kNoSuch);
  refuses("mma.sync.aligned.m16n8k16.row.col.rn.f32.f16.f16.f32", kOperands, "the modifier .rn is not known");
  refuses("mma.sync.aligned.m8n8k4.row.col.rz.f64.f64.f64.f64", "{l1, l2}, {l0}, {l0}, {l0, l0}",
          "the modifier .rz is not known");
  refuses("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64", "{l1, l2}, l0, l0, {l0, l0}", "a vector of 1");
  refuses("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32",
          "{r1, r2, r3, r4}, {r0, r0}, {r0, r0}, {r0, r0, r0, r0}", "operand 2 must be a vector of 4");
  refuses("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32",
          "{r1, r2, r3, l1}, {r0, r0, r0, r0}, {r0, r0}, {r0, r0, r0, r0}", "has 64 bits");
}

TEST_CASE("registers of mma may be constants and sinks") {
  CHECK(error_of(
            "  mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {r1, _, r3, _}, {r0, r0, r0, r0}, {r0, r0}, "
            "{0f3F800000, 0f3F800000, 0f3F800000, 0f3F800000};\n  st.global.b32 [to], r3;\n")
            .empty());
}
