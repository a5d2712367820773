// What the decoding of matrix instructions has in common.
#pragma once

#include <cstddef>
#include <vector>

#include <fmt/format.h>

#include "runtime/ptx/decoding.h"

namespace lathe::runtime::ptx {

/// Takes `.sync.aligned`, which none of them is without.
inline void take_aligned(Decoding& decoding) {
  if (!decoding.take("sync") || !decoding.take("aligned")) decoding.fail(".sync.aligned is missing");
}

/// The elements of operand i, which must be a vector of so many.
inline std::vector<const Operand*> vector_operand(Decoding& decoding, std::size_t i, std::size_t count) {
  const Operand& operand = decoding.operand(i);
  auto elements = Decoding::elements_of(operand);
  if (operand.kind == Operand::Kind::vector && elements.size() == count) return elements;
  decoding.fail(fmt::format("operand {} must be a vector of {}", i + 1, count));
  return {};
}

}  // namespace lathe::runtime::ptx
