// A tile of a matrix product as kernels for sm_80 compute it: cp.async, ldmatrix and mma together.
#include <bit>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tests/support/catch.h"
#include "tests/support/ptx_machine.h"

using namespace lathe::tests;

namespace {

constexpr unsigned kRows = 128;
constexpr unsigned kColumns = 128;
constexpr unsigned kDepth = 64;
constexpr unsigned kRowTiles = 2;      // of 16 rows, of each of the four warps
constexpr unsigned kColumnTiles = 16;  // of 8 columns
constexpr std::string_view kRegistersOfA[kRowTiles] = {"x", "z"};
constexpr unsigned kAcross = kDepth * 2;

/// Each thread copies one row of both matrices, 16 bytes at a time; chunk i of row r is kept at i ^ (r & 7).
std::string copies(bool waits) {
  std::string text = "  and.b32 r0, thread, 7;\n";
  for (const std::string_view matrix : {"a", "b"}) {
    text += fmt::format(
        "  ld.param.u64 from, [{0}];\n  mad.wide.u32 from, thread, {1}, from;\n"
        "  mov.u32 row, tile_{0};\n  mad.lo.u32 row, thread, {1}, row;\n",
        matrix, kAcross);
    for (unsigned chunk = 0; chunk < kAcross / 16; ++chunk) {
      text += fmt::format(
          "  xor.b32 at, r0, {0};\n  mad.lo.u32 at, at, 16, row;\n"
          "  cp.async.cg.shared.global [at], [from+{1}], 16;\n",
          chunk, 16 * chunk);
    }
  }
  return text + "  cp.async.commit_group;\n" + (waits ? "  cp.async.wait_group 0;\n" : "") +
         "  bar.sync 0;\n";
}

/// Four registers from the 16 rows from `first` on: `row` and `chunk` are the lane's own, to be added.
std::string load(std::string_view matrix, std::string_view to, std::string_view first, unsigned chunk) {
  return fmt::format(
      "  mad.lo.u32 at, row, {0}, {1};\n  xor.b32 r0, chunk, {2};\n  and.b32 r1, row, 7;\n"
      "  xor.b32 r0, r0, r1;\n  mad.lo.u32 at, r0, 16, at;\n  add.u32 at, at, tile_{3}_base;\n"
      "  ldmatrix.sync.aligned.m8n8.x4.shared.b16 {{{4}0, {4}1, {4}2, {4}3}}, [at];\n",
      kAcross, first, chunk, matrix, to);
}

std::string products() {
  std::string text = "  mul.lo.u32 warp_rows, warp, 4096;\n";  // 32 rows of 128 bytes
  for (unsigned k = 0; k < kDepth / 16; ++k) {
    // A: rows of the lane l & 15, the half l >> 4 of the 16 columns.
    text += "  and.b32 row, lane, 15;\n  shr.u32 chunk, lane, 4;\n";
    for (unsigned i = 0; i < kRowTiles; ++i) {
      text += fmt::format("  add.u32 r2, warp_rows, {};\n", i * 16 * kAcross);
      text += load("a", kRegistersOfA[i], "r2", 2 * k);
    }
    for (unsigned j = 0; j < kColumnTiles; j += 2) {
      // B: two tiles of eight columns, whose rows in memory they are.
      text +=
          "  and.b32 row, lane, 7;\n  shr.u32 r0, lane, 4;\n  mad.lo.u32 row, r0, 8, row;\n"
          "  shr.u32 chunk, lane, 3;\n  and.b32 chunk, chunk, 1;\n";
      text += load("b", "y", fmt::format("{}", j * 8 * kAcross), 2 * k);
      for (unsigned i = 0; i < kRowTiles; ++i) {
        for (const unsigned half : {0U, 1U}) {
          const unsigned c = (i * kColumnTiles + j + half) * 4;
          text += fmt::format(
              "  mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {{c{0}, c{1}, c{2}, c{3}}}, "
              "{{{4}0, {4}1, {4}2, {4}3}}, {{y{5}, y{6}}}, {{c{0}, c{1}, c{2}, c{3}}};\n",
              c, c + 1, c + 2, c + 3, kRegistersOfA[i], 2 * half, 2 * half + 1);
        }
      }
    }
  }
  return text;
}

std::string stores() {
  std::string text =
      "  shr.u32 row, lane, 2;\n  mad.lo.u32 row, warp, 32, row;\n  and.b32 r0, lane, 3;\n"
      "  ld.param.u64 from, [c];\n  mad.wide.u32 from, row, 512, from;\n"
      "  mad.wide.u32 from, r0, 8, from;\n";
  for (unsigned i = 0; i < kRowTiles; ++i) {
    for (unsigned j = 0; j < kColumnTiles; ++j) {
      for (const unsigned lower : {0U, 1U}) {
        const unsigned c = (i * kColumnTiles + j) * 4 + 2 * lower;
        text += fmt::format("  st.global.v2.f32 [from+{}], {{c{}, c{}}};\n",
                            (i * 16 + lower * 8) * 512 + j * 32, c, c + 1);
      }
    }
  }
  return text;
}

std::string kernel(bool waits) {
  constexpr unsigned kAccumulators = kRowTiles * kColumnTiles * 4;
  std::string zeros;
  for (unsigned i = 0; i < kAccumulators; ++i) zeros += fmt::format("  mov.f32 c{}, 0f00000000;\n", i);
  return fmt::format(R"(.version 8.7
.target sm_80
.address_size 64
.visible .entry kernel(.param .u64 a, .param .u64 b, .param .u64 c)
{{
  .reg .b32 thread, warp, lane, at, row, chunk, warp_rows, tile_a_base, tile_b_base, r<4>;
  .reg .b32 x<4>, z<4>, y<4>;
  .reg .b64 from;
  .reg .f32 c<{}>;
  .shared .align 128 .b8 tile_a[{}];
  .shared .align 128 .b8 tile_b[{}];
  mov.u32 thread, %tid.x;
  shr.u32 warp, thread, 5;
  and.b32 lane, thread, 31;
  mov.u32 tile_a_base, tile_a;
  mov.u32 tile_b_base, tile_b;
{}{}{}{}  ret;
}}
)",
                     kAccumulators, kRows * kAcross, kColumns * kAcross, copies(waits), zeros, products(),
                     stores());
}

float widened(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

struct Tile {
  std::vector<std::uint16_t> a;
  std::vector<std::uint16_t> b;  // transposed: a row for each column
  std::vector<float> c;
  std::string error;
};

Tile multiply(bool waits) {
  std::mt19937_64 random(1);
  Tile tile;
  const auto fill = [&](std::vector<std::uint16_t>& matrix, unsigned rows) {
    for (unsigned i = 0; i < rows * kDepth; ++i)
      matrix.push_back(
          static_cast<std::uint16_t>((random() & 1) << 15 | (120 + random() % 8) << 7 | (random() & 127)));
  };
  fill(tile.a, kRows);
  fill(tile.b, kColumns);
  PtxMachine machine;
  machine.facts.block = {kRows, 1, 1};
  const auto* a = machine.upload(tile.a);
  const auto* b = machine.upload(tile.b);
  const auto* c = machine.allocate<float>(kRows * kColumns);
  const auto done = machine.run(kernel(waits), packed_parameters(a, b, c));
  if (!done) tile.error = done.error().text();
  tile.c.assign(c, c + kRows * kColumns);
  return tile;
}

}  // namespace

TEST_CASE("a tile of 128 x 128 x 64 is multiplied with cp.async, ldmatrix and mma") {
  const Tile tile = multiply(true);
  REQUIRE(tile.error == "");
  for (unsigned row = 0; row < kRows; ++row) {
    for (unsigned column = 0; column < kColumns; ++column) {
      double sum = 0;
      for (unsigned k = 0; k < kDepth; ++k)
        sum += double{widened(tile.a[row * kDepth + k])} * widened(tile.b[column * kDepth + k]);
      // Rounded to a float four times, once for each 16 of the depth.
      INFO("row " << row << " column " << column);
      REQUIRE(std::abs(tile.c[row * kColumns + column] - sum) < 1e-5);
    }
  }
}

TEST_CASE("the same tile without its wait is reported") {
  CHECK(multiply(false).error.find("has not been waited for") != std::string::npos);
}
