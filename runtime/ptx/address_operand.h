// Addresses of instructions that have more than one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/ptx/decoding.h"
#include "runtime/ptx/memory_access.h"
#include "runtime/ptx/program.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

/// Where a Step has an address: Step::offset and Step::space are there for one only.
struct AddressOperand {
  std::size_t input = 0;
  std::int64_t offset = 0;
  Space space = Space::generic;
};

inline bool is_shared(Space space) {
  return space == Space::shared || space == Space::shared_cluster;
}

/// An address of this space, or of a variable that lies in it.
inline AddressOperand take_address(Decoding& decoding, const Operand& operand, Space space) {
  const std::size_t input = decoding.step.inputs;
  decoding.address_input(operand, space);
  const Space given = decoding.step.space;
  const bool fits = given == space || (is_shared(space) && is_shared(given)) || space == Space::generic;
  if (!fits) decoding.fail("an address is in another space than the instruction says");
  return {.input = input, .offset = decoding.step.offset, .space = given == Space::shared ? space : given};
}

/// One lane's; nothing is accessed yet. After a fault false.
inline bool resolve(Warp& warp, const Step& step, unsigned lane, const AddressOperand& address, Access access,
                    Place& place) {
  const Slot slot = step.input(address.input);
  if (!are_addresses_defined(warp, slot, LaneMask{1} << lane)) return false;
  access.space = address.space;
  return resolve(warp, lane, address_of(warp, slot, address.offset, lane), access, place);
}

}  // namespace lathe::runtime::ptx
