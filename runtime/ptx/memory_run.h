// Runs: the accesses of a whole warp that follow one another in memory, as most do. They are located and
// copied at once; lane by lane takes several times as long.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "runtime/ptx/memory_access.h"
#include "runtime/ptx/place.h"
#include "runtime/ptx/program.h"

namespace lathe::runtime::ptx {

class Warp;

/// The place of lane 0, if all lanes are active and lane i accesses what is i times Access::bytes behind it,
/// with nothing wrong about that. nullopt: anything else, which is to be looked at lane by lane. Races are
/// not looked for.
std::optional<Place> locate_run(Warp& warp, Slot address, std::int64_t offset, const Access& access);

/// What one lane's access is made of.
struct Elements {
  unsigned count = 1;
  unsigned bytes = 4;  ///< of each

  /// Whether the registers are as wide as the elements, so that their bytes are the same.
  bool fill(std::span<const Slot> registers) const;
};

/// Copies between a run and registers that the elements fill, one register for each element.
void load_run(Warp& warp, std::span<const Slot> registers, const Elements& elements, const std::byte* from);
void store_run(Warp& warp, std::span<const Slot> registers, const Elements& elements, std::byte* to);

}  // namespace lathe::runtime::ptx
