// Where the lanes of a memory instruction point, with everything checked that an access must obey.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "runtime/ptx/ordering.h"
#include "runtime/ptx/place.h"
#include "runtime/ptx/program.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

/// Generic addresses of what is not global memory begin here, where no host address is.
constexpr std::uint64_t kSharedWindow = std::uint64_t{1} << 56;
constexpr std::uint64_t kLocalWindow = std::uint64_t{2} << 56;
constexpr std::uint64_t kParamWindow = std::uint64_t{3} << 56;
/// Shared addresses of the other blocks of a cluster: the rank plus one above this bit, an own address below.
constexpr unsigned kRankShift = 24;

enum class AccessKind : std::uint8_t { read, write, atomic };

struct Access {
  AccessKind kind = AccessKind::read;
  unsigned bytes = 4;      ///< of one lane, all its elements
  unsigned alignment = 4;  ///< bytes
  Space space = Space::generic;
  Ordering ordering = Ordering::weak;  ///< an atomic one is never weak, whatever this says
};

/// The place of one lane's address, for what is not an access yet: races are not looked for. After a fault
/// false.
bool resolve(Warp& warp, unsigned lane, std::uint64_t address, const Access& access, Place& place);

/// The place of an own block's shared or of global memory, if nothing is wrong with an access of so many
/// bytes from the address on; nullopt: something is, or it is other memory. Reports nothing.
std::optional<Place> find_place(Warp& warp, std::uint64_t address, const Access& access, std::size_t bytes);

/// The place of one lane's address in a space; after a fault false.
bool locate(Warp& warp, unsigned lane, std::uint64_t address, const Access& access, Place& place);

/// Those of all active lanes; address slot plus Step::offset. After a fault false.
bool locate_all(Warp& warp, const Step& step, Slot address, const Access& access,
                std::array<Place, kLanes>& places);

/// Those of some lanes, for a step with more than one address; slot plus `offset`.
bool locate_lanes(Warp& warp, Slot address, std::int64_t offset, const Access& access, LaneMask lanes,
                  std::array<Place, kLanes>& places);

/// Reports a lane whose value nobody wrote, with what follows from that; false then.
bool are_defined(Warp& warp, Slot slot, LaneMask lanes, std::string_view consequence);
inline bool are_addresses_defined(Warp& warp, Slot address, LaneMask lanes) {
  return are_defined(warp, address, lanes, "the address depends on it");
}

/// The address that a lane gives: zero-extended, plus the offset or Step::offset.
std::uint64_t address_of(Warp& warp, Slot address, std::int64_t offset, unsigned lane);
std::uint64_t address_of(Warp& warp, const Step& step, Slot address, unsigned lane);

/// Reports a lane that reads memory which nobody wrote; false then.
bool check_defined(Warp& warp, unsigned lane, const Place& place, unsigned bytes);

}  // namespace lathe::runtime::ptx
