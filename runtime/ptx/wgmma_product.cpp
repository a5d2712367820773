#include "runtime/ptx/wgmma_product.h"

#include <array>
#include <span>
#include <vector>

#include "runtime/ptx/block.h"
#include "runtime/ptx/matrix_fragments.h"
#include "runtime/ptx/matrix_product.h"
#include "runtime/ptx/matrix_registers.h"
#include "runtime/ptx/warpgroup.h"
#include "runtime/ptx/wgmma_facts.h"

namespace lathe::runtime::ptx {

namespace {

constexpr unsigned kWarpRows = 16;

const WgmmaFacts& facts_of(const WgmmaProduct& product) {
  return static_cast<const WgmmaFacts&>(*product.step->facts);
}

/// REQUIRES: it was checked when the product was issued.
MatrixLayout layout_of(std::uint64_t descriptor, bool is_transposed) {
  return {*matrix_descriptor(descriptor), is_transposed};
}

void negate(MatrixProduct& matrices, unsigned depth) {
  for (auto& row : matrices.a) {
    for (unsigned k = 0; k < depth; ++k) row[k] = -row[k];
  }
}

/// After a fault false.
bool load_a(Warp& warp, const WgmmaProduct& product, MatrixProduct& matrices) {
  const WgmmaFacts& facts = facts_of(product);
  if (facts.registers_of_a != 0) {
    facts.load_a(warp, facts.a(*product.step), kWarpRows, matrices);
  } else {
    const MatrixPart part = part_of_a(warp, product);
    if (!check_read(warp, part)) return false;
    std::array<DepthSlice, kWarpRows> rows;
    read(warp, part, rows);
    for (unsigned row = 0; row < kWarpRows; ++row) facts.values_of_a(rows[row], matrices.a[row].data());
  }
  if (facts.is_negated) negate(matrices, facts.depth);
  return true;
}

/// Eight columns of B.
void set_b(std::span<const DepthSlice> columns, const WgmmaFacts& facts, MatrixProduct& matrices) {
  std::array<double, kMaxProductDepth> values;
  for (unsigned column = 0; column < kProductColumns; ++column) {
    facts.values_of_b(columns[column], values.data());
    for (unsigned k = 0; k < facts.depth; ++k) matrices.b[k][column] = values[k];
  }
}

/// Lanes that hold elements of defined rows, in the registers of the upper and the lower eight rows.
std::array<LaneMask, 2> lanes_of_rows(std::uint32_t rows) {
  std::array<LaneMask, 2> lanes{};
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    for (unsigned half = 0; half < 2; ++half)
      lanes[half] |= LaneMask{rows >> (group_of(lane) + 8 * half) & 1} << lane;
  }
  return lanes;
}

/// An element of D is defined if its row of A is and, if they count, so is what was there before. B is
/// always: it is in memory.
void propagate_definedness(Warp& warp, const WgmmaProduct& product) {
  const WgmmaFacts& facts = facts_of(product);
  const auto lanes = lanes_of_rows(defined_rows(warp, facts.a(*product.step), kWarpRows));
  const auto accumulators = facts.d(*product.step);
  for (unsigned i = 0; i < accumulators.size(); ++i) {
    const unsigned half = place_in_accumulator(i * facts.accumulators_per_register % 4, 0).row / 8;
    const LaneMask before = product.accumulates ? warp.defined(accumulators[i]) : kAllLanes;
    warp.set_defined(accumulators[i], before & lanes[half]);
  }
}

}  // namespace

MatrixPart part_of_a(const Warp& warp, const WgmmaProduct& product) {
  const bool is_transposed = facts_of(product).is_a_transposed;
  return {.layout = layout_of(product.descriptor_of_a, is_transposed),
          .is_transposed = is_transposed,
          .first = warp.index() % kWarpgroupWarps * kWarpRows,
          .count = kWarpRows};
}

MatrixPart part_of_b(const WgmmaProduct& product) {
  const WgmmaFacts& facts = facts_of(product);
  return {.layout = layout_of(product.descriptor_of_b, facts.is_b_transposed),
          .is_transposed = facts.is_b_transposed,
          .first = 0,
          .count = facts.columns};
}

bool compute(Warp& warp, const WgmmaProduct& product) {
  const WgmmaFacts& facts = facts_of(product);
  MatrixProduct matrices;
  if (!load_a(warp, product, matrices)) return false;
  const MatrixPart b = part_of_b(product);
  if (!check_read(warp, b)) return false;
  std::vector<DepthSlice> columns(facts.columns);
  read(warp, b, columns);
  const std::span<const Slot> accumulators = facts.d(*product.step);
  const std::size_t per_tile = accumulators.size() * kProductColumns / facts.columns;
  for (unsigned first = 0; first < facts.columns; first += kProductColumns) {
    const auto tile = accumulators.subspan(first / kProductColumns * per_tile, per_tile);
    set_b(std::span(columns).subspan(first, kProductColumns), facts, matrices);
    if (product.accumulates) {
      facts.load_c(warp, tile, matrices);
    } else {
      matrices.c = {};
    }
    accumulate_product<plain_multiply_add>(matrices, kWarpRows, facts.depth);
    facts.store_d(warp, tile, matrices);
  }
  if (warp.block().checks_definedness()) propagate_definedness(warp, product);
  return true;
}

}  // namespace lathe::runtime::ptx
