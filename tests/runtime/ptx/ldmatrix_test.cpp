// ldmatrix, stmatrix and movmatrix.
#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tests/support/catch.h"
#include "tests/support/ptx_warp.h"

using namespace lathe::tests;

namespace {

using Registers = std::vector<std::uint32_t>;  // register i of lane l: 32 i + l

constexpr unsigned kRows = 128;  // of 16 bytes, in the 2048 bytes that fill_tile() writes

Registers random_registers(unsigned count, std::mt19937_64& random) {
  Registers registers(std::size_t{count} * kWarpLanes);
  for (auto& value : registers) value = static_cast<std::uint32_t>(random());
  return registers;
}

/// Lane l stores a0 to a15 from byte 64 l of the tile on.
std::string fill_tile() {
  std::string text = "  mov.u32 r0, tile;\n  mad.lo.u32 r1, lane, 64, r0;\n";
  for (unsigned i = 0; i < 16; i += 4) {
    text +=
        fmt::format("  st.shared.v4.b32 [r1+{}], {{a{}, a{}, a{}, a{}}};\n", 4 * i, i, i + 1, i + 2, i + 3);
  }
  return text + "  bar.sync 0;\n";
}

/// Element `column` of 16 bits of row `row` of the filled tile.
std::uint16_t element(const Registers& filled, unsigned row, unsigned column) {
  const unsigned byte = row * 16 + column * 2;
  const std::uint32_t word = filled[byte % 64 / 4 * kWarpLanes + byte / 64];
  return static_cast<std::uint16_t>(word >> (byte % 4 * 8));
}

/// Where each lane points, as register a16: rows in any order, those of lanes that do not count at no
/// address.
Registers random_rows(unsigned count, std::mt19937_64& random) {
  Registers rows(kWarpLanes, 0xfffffff1);
  for (unsigned lane = 0; lane < count; ++lane) rows[lane] = static_cast<std::uint32_t>(random() % kRows);
  return rows;
}

std::string vector_of(char name, unsigned first, unsigned count) {
  std::string text = "{";
  for (unsigned i = 0; i < count; ++i) text += fmt::format("{}{}{}", i == 0 ? "" : ", ", name, first + i);
  return text + "}";
}

/// What ldmatrix gives lane l for its matrix of the given rows: elements 2c and 2c + 1 of row g, transposed
/// of column g.
std::uint32_t loaded(const Registers& filled, const std::uint32_t* rows, unsigned lane, bool is_transposed) {
  const unsigned g = lane / 4;
  const unsigned c = lane % 4;
  const auto at = [&](unsigned i) {
    return is_transposed ? element(filled, rows[2 * c + i], g) : element(filled, rows[g], 2 * c + i);
  };
  return at(0) | std::uint32_t{at(1)} << 16;
}

Registers concatenated(Registers first, const Registers& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("ldmatrix gives each lane its elements of up to four tiles") {
  std::mt19937_64 random(1);
  for (const unsigned tiles : {1U, 2U, 4U}) {
    for (const bool is_transposed : {false, true}) {
      for (const std::string_view space : {"", ".shared", ".shared::cta"}) {
        const Registers filled = random_registers(16, random);
        const Registers rows = random_rows(8 * tiles, random);
        std::string body = fill_tile();
        body += space.empty() ? "  cvt.u64.u32 l0, a16;\n  mov.u64 l1, tile;\n  cvta.shared.u64 l1, l1;\n"
                                "  shl.b64 l0, l0, 4;\n  add.u64 l2, l0, l1;\n"
                              : "  mad.lo.u32 r2, a16, 16, r0;\n  sub.u32 r2, r2, 16;\n";
        body += fmt::format("  ldmatrix.sync.aligned.m8n8.x{}{}{}.b16 {}, [{}];\n", tiles,
                            is_transposed ? ".trans" : "", space, vector_of('d', 0, tiles),
                            space.empty() ? "l2" : "r2+16");
        const Registers result = on_warp(body, concatenated(filled, rows), tiles);
        for (unsigned tile = 0; tile < tiles; ++tile) {
          for (unsigned lane = 0; lane < kWarpLanes; ++lane) {
            INFO("tile " << tile << " lane " << lane);
            CHECK(result[tile * kWarpLanes + lane] == loaded(filled, &rows[tile * 8], lane, is_transposed));
          }
        }
      }
    }
  }
}

TEST_CASE("ldmatrix does not look at the addresses that it does not need") {
  const std::string body = fill_tile() +
                           "  setp.lt.u32 p, lane, 8;\n  @p mov.u32 r2, tile;\n"
                           "  ldmatrix.sync.aligned.m8n8.x1.shared.b16 {d0}, [r2];\n";
  std::mt19937_64 random(2);
  const Registers filled = random_registers(16, random);
  const Registers result = on_warp(body, filled, 1);
  for (unsigned lane = 0; lane < kWarpLanes; ++lane)
    CHECK(result[lane] ==
          (element(filled, 0, lane % 4 * 2) | std::uint32_t{element(filled, 0, lane % 4 * 2 + 1)} << 16));
}

TEST_CASE("ldmatrix takes the address of a variable") {
  std::mt19937_64 random(3);
  const Registers filled = random_registers(16, random);
  const Registers result = on_warp(
      fill_tile() + "  ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {d0, _}, [tile+32];\n", filled, 1);
  for (unsigned lane = 0; lane < kWarpLanes; ++lane)
    CHECK(result[lane] == element(filled, 2, lane / 4) * 0x10001U);
}

TEST_CASE("stmatrix puts tiles where ldmatrix finds them") {
  std::mt19937_64 random(4);
  for (const unsigned tiles : {1U, 2U, 4U}) {
    for (const bool stores_transposed : {false, true}) {
      for (const bool loads_transposed : {false, true}) {
        const Registers given = random_registers(tiles, random);
        // Lane l's row is l times 48 bytes: rows need not lie together.
        const std::string address = "  mov.u32 r0, tile;\n  mad.lo.u32 r1, lane, 48, r0;\n";
        const auto move = [&](std::string_view name, bool is_transposed) {
          return fmt::format("{}.sync.aligned.m8n8.x{}{}.shared.b16", name, tiles,
                             is_transposed ? ".trans" : "");
        };
        const std::string body =
            address + fmt::format("  {} [r1], {};\n  {} {}, [r1];\n", move("stmatrix", stores_transposed),
                                  vector_of('a', 0, tiles), move("ldmatrix", loads_transposed),
                                  vector_of('d', 0, tiles));
        std::string transposed;
        for (unsigned i = 0; i < tiles; ++i)
          transposed += fmt::format("  movmatrix.sync.aligned.m8n8.trans.b16 d{0}, a{0};\n", i);
        const bool is_same = stores_transposed == loads_transposed;
        CHECK(on_warp(body, given, tiles) == (is_same ? given : on_warp(transposed, given, tiles)));
      }
    }
  }
}

TEST_CASE("stmatrix writes rows of 16 bytes") {
  Registers given(kWarpLanes);
  for (unsigned lane = 0; lane < kWarpLanes; ++lane)
    given[lane] = (2 * lane + 1) << 16 | 2 * lane;  // elements 0, 1, ... 63
  const std::string body =
      "  mov.u32 r0, tile;\n  cvta.shared.u64 l0, 0;\n  mad.lo.u32 r1, lane, 16, r0;\n  cvt.u64.u32 l1, r1;\n"
      "  add.u64 l0, l0, l1;\n  stmatrix.sync.aligned.m8n8.x1.b16 [l0], {a0};\n  bar.sync 0;\n"
      "  mad.lo.u32 r1, lane, 4, r0;\n  ld.shared.b32 d0, [r1];\n";
  CHECK(on_warp(body, given, 1) == given);
}

TEST_CASE("movmatrix transposes") {
  Registers given(kWarpLanes);
  for (unsigned lane = 0; lane < kWarpLanes; ++lane)
    given[lane] = (2 * lane + 1) << 16 | 2 * lane;  // 8 row + column
  const Registers once = on_warp("  movmatrix.sync.aligned.m8n8.trans.b16 d0, a0;\n", given, 1);
  for (unsigned lane = 0; lane < kWarpLanes; ++lane) {
    const unsigned row = lane / 4;
    const unsigned column = lane % 4 * 2;
    CHECK(once[lane] == ((8 * (column + 1) + row) << 16 | (8 * column + row)));
  }
  const std::string_view twice =
      "  movmatrix.sync.aligned.m8n8.trans.b16 a0, a0;\n  movmatrix.sync.aligned.m8n8.trans.b16 d0, a0;\n";
  CHECK(on_warp(twice, given, 1) == given);
}

TEST_CASE("rows of tiles must lie in shared memory, at multiples of 16") {
  const auto error_at = [](std::string_view row, std::string_view space = ".shared") {
    return warp_error(
        fmt::format("  mov.u32 r0, tile;\n  mad.lo.u32 r1, lane, 16, r0;\n  setp.eq.u32 p, lane, 5;\n"
                    "  @p add.u32 r1, r0, {};\n  cvt.u64.u32 l0, r1;\n"
                    "  stmatrix.sync.aligned.m8n8.x1{}.b16 [l0], {{a0}};\n",
                    row, space));
  };
  CHECK(error_at("4080").empty());
  CHECK(has(error_at("8"), "misaligned access: writes 16 bytes of shared memory"));
  CHECK(has(error_at("8"), "thread (5, 0, 0)"));
  CHECK(has(error_at("4096"), "access out of bounds: writes 16 bytes of shared memory"));
  CHECK(has(error_at("-16"), "access out of bounds"));
  CHECK(has(warp_error("  stmatrix.sync.aligned.m8n8.x1.b16 [to], {lane};\n"), "not a multiple of 16"));
  CHECK(has(warp_error("  and.b64 l0, to, -16;\n  stmatrix.sync.aligned.m8n8.x1.b16 [l0], {lane};\n"),
            "the address is one of global memory, not of shared"));
}

TEST_CASE("what nobody wrote is not loaded, and stays undefined where it is stored") {
  const auto load = [](std::string_view first) {
    return warp_error(
        fmt::format("  mov.u32 r0, tile;\n  mad.lo.u32 r1, lane, 16, r0;\n"
                    "  {} st.shared.v4.b32 [r1], {{lane, lane, lane, lane}};\n  bar.sync 0;\n"
                    "  ldmatrix.sync.aligned.m8n8.x4.shared.b16 {{r2, r3, r4, r5}}, [r1];\n",
                    first));
  };
  CHECK(load("").empty());
  CHECK(has(load("setp.ne.u32 p, lane, 17; @p"),
            "reads 16 bytes of shared memory that nobody wrote, 272 bytes"));
  CHECK(has(load("setp.ne.u32 p, lane, 17; @p"), "thread (17, 0, 0)"));

  // Lane 6 has elements 4 and 5 of row 1: bytes 24 to 27.
  const auto store = [](unsigned byte) {
    return warp_error(
        fmt::format("  setp.ne.u32 p, lane, 6;\n  @p mov.u32 r2, 0;\n  mov.u32 r0, tile;\n"
                    "  mad.lo.u32 r1, lane, 16, r0;\n"
                    "  stmatrix.sync.aligned.m8n8.x1.shared.b16 [r1], {{r2}};\n  bar.sync 0;\n"
                    "  ld.shared.u16 r3, [tile+{}];\n",
                    byte));
  };
  CHECK(store(22).empty());
  CHECK(has(store(24), "nobody wrote"));
  CHECK(has(store(26), "nobody wrote"));
  CHECK(store(28).empty());
}

TEST_CASE("movmatrix hands on what is undefined") {
  // Lane 6 gives columns 4 and 5 of row 1, which become row 4 and 5 of column 1: lanes 16 and 20.
  const auto error_of = [](unsigned lane) {
    return warp_error(
        fmt::format("  setp.ne.u32 p, lane, 6;\n  @p mov.u32 r2, 0;\n"
                    "  movmatrix.sync.aligned.m8n8.trans.b16 r3, r2;\n"
                    "  setp.eq.u32 p, lane, {};\n  @p st.global.u32 [to], r3;\n",
                    lane));
  };
  for (unsigned lane = 0; lane < kWarpLanes; ++lane) {
    INFO("lane " << lane);
    CHECK(error_of(lane).empty() == (lane != 16 && lane != 20));
  }
}

TEST_CASE("moving tiles needs all lanes") {
  for (const std::string_view instruction : {"ldmatrix.sync.aligned.m8n8.x1.shared.b16 {r1}, [tile];",
                                             "movmatrix.sync.aligned.m8n8.trans.b16 r1, r1;",
                                             "stmatrix.sync.aligned.m8n8.x1.shared.b16 [tile], {r1};"}) {
    INFO(instruction);
    CHECK(has(warp_error(fmt::format("  {}\n", instruction), 8), "the warp has only 8 threads"));
    CHECK(has(warp_error(fmt::format("  setp.eq.u32 p, lane, 0;\n  @p {}\n", instruction)),
              "kept out by the guard"));
    CHECK(has(warp_error(fmt::format("  setp.eq.u32 p, lane, 0;\n  @p exit;\n  {}\n", instruction)),
              "have exited"));
  }
}

TEST_CASE("forms that are not run are refused") {
  const auto refuses = [](std::string_view instruction, std::string_view why) {
    INFO(instruction);
    const std::string error = warp_error(fmt::format("  {}\n", instruction));
    INFO(error);
    CHECK(has(error, why));
  };
  refuses("ldmatrix.sync.m8n8.x1.shared.b16 {r1}, [tile];", ".sync.aligned is missing");
  refuses("ldmatrix.sync.aligned.m16n16.x1.trans.shared.b8 {r1, r2}, [tile];", "only tiles .m8n8 of .b16");
  refuses("ldmatrix.sync.aligned.m8n16.x1.shared.b8x16.b6x16_p32 {r1}, [tile];", "only tiles .m8n8 of .b16");
  refuses("stmatrix.sync.aligned.m16n8.x1.trans.shared.b8 [tile], {r1};", "only tiles .m8n8 of .b16");
  refuses("ldmatrix.sync.aligned.m8n8.shared.b16 {r1}, [tile];", ".x1, .x2 or .x4 is missing");
  refuses("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {r1}, [tile];", "operand 1 must be a vector of 2");
  refuses("ldmatrix.sync.aligned.m8n8.x1.shared.b16 r1, [tile];", "operand 1 must be a vector of 1");
  refuses("stmatrix.sync.aligned.m8n8.x1.shared.b16 [tile], {l1};", "has 64 bits");
  refuses("ldmatrix.sync.aligned.m8n8.x1.shared::cluster.b16 {r1}, [tile];",
          "the modifier .shared::cluster is not known");
  refuses("movmatrix.sync.aligned.m8n8.b16 r1, r1;", "movmatrix is known as");
}
