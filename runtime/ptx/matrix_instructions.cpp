// ldmatrix, stmatrix, movmatrix: 8 x 8 matrices of 16-bit elements between shared memory and registers.
#include <array>
#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "runtime/ptx/block.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/matrix_decoding.h"
#include "runtime/ptx/matrix_fragments.h"
#include "runtime/ptx/memory_access.h"
#include "runtime/ptx/mma_instructions.h"
#include "runtime/ptx/warp.h"
#include "runtime/ptx/warp_members.h"

namespace lathe::runtime::ptx {

namespace {

constexpr unsigned kTileRows = 8;
constexpr unsigned kRowBytes = 16;
constexpr unsigned kElementBytes = 2;

struct TileFacts : Facts {
  unsigned tiles = 1;
  bool is_transposed = false;
};

// ---- ldmatrix and stmatrix

/// The rows of tile i are where lanes 8i to 8i + 7 point; after a fault false.
bool locate_rows(Warp& warp, const Step& step, AccessKind kind, std::array<Place, kLanes>& rows) {
  const auto& facts = static_cast<const TileFacts&>(*step.facts);
  const Access access{.kind = kind, .bytes = kRowBytes, .alignment = kRowBytes, .space = step.space};
  const unsigned count = facts.tiles * kTileRows;
  const LaneMask lanes = kAllLanes >> (kLanes - count);
  const Slot address = step.input(0);
  if (!locate_lanes(warp, address, step.offset, access, lanes, rows)) return false;
  for (unsigned lane = 0; lane < count; ++lane) {
    if (rows[lane].space != Space::shared) {
      warp.fault(FaultKind::illegal,
                 fmt::format("the address is one of {} memory, not of shared", name_of(rows[lane].space)),
                 lane);
      return false;
    }
    if (kind == AccessKind::read && !check_defined(warp, lane, rows[lane], kRowBytes)) return false;
  }
  return true;
}

/// Calls visit(tile, lane, i, row, byte) for each element: the i-th of a lane in a tile, byte `byte` of a
/// row.
template <class Visit>
void for_each_element(const TileFacts& facts, Visit visit) {
  for (unsigned tile = 0; tile < facts.tiles; ++tile) {
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      for (unsigned i = 0; i < 2; ++i) {
        ElementPlace at = place_in_tile(i, lane);
        if (facts.is_transposed) at = {at.column, at.row};
        visit(tile, lane, i, tile * kTileRows + at.row, at.column * kElementBytes);
      }
    }
  }
}

void execute_load(Warp& warp, const Step& step) {
  if (!are_all_aligned(warp)) return;
  const auto& facts = static_cast<const TileFacts&>(*step.facts);
  std::array<Place, kLanes> rows;
  if (!locate_rows(warp, step, AccessKind::read, rows)) return;
  for_each_element(facts, [&](unsigned tile, unsigned lane, unsigned i, unsigned row, unsigned byte) {
    auto* value = reinterpret_cast<std::byte*>(&warp.lanes<std::uint32_t>(step.output(tile))[lane]);
    std::memcpy(value + i * kElementBytes, rows[row].bytes + byte, kElementBytes);
  });
  for (unsigned i = 0; i < step.outputs; ++i) warp.set_defined(step.output(i), kAllLanes);
}

void execute_store(Warp& warp, const Step& step) {
  if (!are_all_aligned(warp)) return;
  const auto& facts = static_cast<const TileFacts&>(*step.facts);
  std::array<Place, kLanes> rows;
  if (!locate_rows(warp, step, AccessKind::write, rows)) return;
  for_each_element(facts, [&](unsigned tile, unsigned lane, unsigned i, unsigned row, unsigned byte) {
    const Slot source = step.input(1 + tile);
    const auto* value = reinterpret_cast<const std::byte*>(&warp.lanes<std::uint32_t>(source)[lane]);
    std::memcpy(rows[row].bytes + byte, value + i * kElementBytes, kElementBytes);
    Shadow* shadow = rows[row].shadow;
    if (shadow == nullptr) return;
    if ((warp.defined(source) >> lane & 1) != 0) {
      shadow->define(rows[row].offset + byte, kElementBytes);
    } else {
      shadow->undefine(rows[row].offset + byte, kElementBytes);
    }
  });
}

/// What both have in common: everything but operands. Returns the number of tiles.
unsigned take_tiles(Decoding& decoding) {
  auto& facts = decoding.add_facts<TileFacts>();
  take_aligned(decoding);
  if (!decoding.take("m8n8") || !decoding.take("b16")) decoding.fail("only tiles .m8n8 of .b16 are run");
  const std::string_view count = decoding.take_any({"x1", "x2", "x4"});
  if (count.empty()) decoding.fail(".x1, .x2 or .x4 is missing");
  facts.tiles = count == "x4" ? 4 : count == "x2" ? 2 : 1;
  facts.is_transposed = decoding.take("trans");
  const bool is_shared = !decoding.take_any({"shared", "shared::cta"}).empty();
  decoding.step.space = is_shared ? Space::shared : Space::generic;
  decoding.step.tracks_definedness_itself = true;
  return facts.tiles;
}

Execute decode_load(Decoding& decoding) {
  const unsigned tiles = take_tiles(decoding);
  for (const Operand* each : vector_operand(decoding, 0, tiles)) decoding.output(*each, 32);
  decoding.address_input(decoding.operand(1), decoding.step.space);
  return execute_load;
}

Execute decode_store(Decoding& decoding) {
  const unsigned tiles = take_tiles(decoding);
  decoding.address_input(decoding.operand(0), decoding.step.space);
  for (const Operand* each : vector_operand(decoding, 1, tiles)) decoding.input(*each, 32);
  return execute_store;
}

// ---- movmatrix

/// Input and output: a tile of two elements a lane.
void execute_transpose(Warp& warp, const Step& step) {
  if (!are_all_aligned(warp)) return;
  std::array<std::array<std::uint16_t, kTileRows>, kTileRows> tile;
  std::array<std::array<bool, kTileRows>, kTileRows> is_defined;
  const auto* given = warp.lanes<std::uint32_t>(step.input(0));
  const LaneMask defined = warp.defined(step.input(0));
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    for (unsigned i = 0; i < 2; ++i) {
      const ElementPlace at = place_in_tile(i, lane);
      tile[at.row][at.column] = static_cast<std::uint16_t>(given[lane] >> (16 * i));
      is_defined[at.row][at.column] = (defined >> lane & 1) != 0;
    }
  }
  auto* out = warp.lanes<std::uint32_t>(step.output(0));
  LaneMask result_defined = 0;
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    const ElementPlace low = place_in_tile(0, lane);
    const ElementPlace high = place_in_tile(1, lane);
    out[lane] = tile[low.column][low.row] | std::uint32_t{tile[high.column][high.row]} << 16;
    const bool both = is_defined[low.column][low.row] && is_defined[high.column][high.row];
    result_defined |= LaneMask{both} << lane;
  }
  warp.set_defined(step.output(0), result_defined);
}

Execute decode_transpose(Decoding& decoding) {
  for (const std::string_view needed : {"sync", "aligned", "m8n8", "trans", "b16"}) {
    if (!decoding.take(needed)) decoding.fail("movmatrix is known as movmatrix.sync.aligned.m8n8.trans.b16");
  }
  decoding.step.tracks_definedness_itself = true;
  decoding.output(0, 32);
  decoding.input(1, 32);
  return execute_transpose;
}

}  // namespace

void add_matrix_instructions(InstructionTable& table) {
  table["mma"] = {decode_mma, StepClass::matrix};
  table["ldmatrix"] = {decode_load, StepClass::memory};
  table["stmatrix"] = {decode_store, StepClass::memory};
  table["movmatrix"] = {decode_transpose, StepClass::matrix};
}

}  // namespace lathe::runtime::ptx
