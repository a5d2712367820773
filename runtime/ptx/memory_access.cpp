#include "runtime/ptx/memory_access.h"

#include <bit>

#include <fmt/format.h>

#include "runtime/ptx/async_proxy.h"
#include "runtime/ptx/block.h"
#include "runtime/ptx/cluster.h"
#include "runtime/ptx/frame_layout.h"
#include "runtime/ptx/memory_run.h"
#include "runtime/ptx/pending_writes.h"
#include "runtime/ptx/profile.h"
#include "runtime/ptx/races.h"

namespace lathe::runtime::ptx {

namespace {

constexpr std::uint64_t kWindowMask = std::uint64_t{0xFF} << 56;

/// A generic address names its space by the window that it lies in.
void resolve_generic(Space& space, std::uint64_t& address) {
  if (space != Space::generic) return;
  const std::uint64_t window = address & kWindowMask;
  space = window == kSharedWindow  ? Space::shared_cluster
          : window == kLocalWindow ? Space::local
          : window == kParamWindow ? Space::param
                                   : Space::global;
  if (space != Space::global) address &= ~kWindowMask;
}

std::string_view verb(AccessKind kind) {
  switch (kind) {
    case AccessKind::read:
      return "reads";
    case AccessKind::write:
      return "writes";
    case AccessKind::atomic:
      return "updates";
  }
  return "touches";
}

bool outside(Warp& warp, unsigned lane, std::uint64_t address, const Access& access, Space space,
             const std::string& what) {
  warp.fault(FaultKind::out_of_bounds,
             fmt::format("{} {} bytes of {} memory at {:#x}, {}", verb(access.kind), access.bytes,
                         name_of(space), address, what),
             lane);
  return false;
}

/// The allocation that holds the address, though perhaps not all of the bytes; nullptr: none does.
const GlobalMemory::Allocation* allocation_at(Warp& warp, std::uint64_t address, std::size_t bytes) {
  const GlobalMemory::Allocation*& known = warp.known_allocation();
  if (known == nullptr || !known->covers(address, bytes)) known = warp.block().launch().memory->find(address);
  return known;
}

Place place_in(Warp& warp, const GlobalMemory::Allocation& allocation, std::uint64_t address) {
  warp.has_used_global = true;
  const std::uint64_t offset = address - reinterpret_cast<std::uintptr_t>(allocation.begin);
  const bool is_tracked = warp.block().checks_definedness() && allocation.shadow.is_tracked();
  return {allocation.begin + offset, is_tracked ? &allocation.shadow : nullptr, offset, Space::global,
          nullptr};
}
Place place_in(Block& block, std::uint64_t shared_offset) {
  Shadow& shadow = block.shared_shadow();
  return {block.shared().data() + shared_offset, shadow.is_tracked() ? &shadow : nullptr, shared_offset,
          Space::shared, &block};
}

bool locate_global(Warp& warp, unsigned lane, std::uint64_t address, const Access& access, Place& place) {
  const GlobalMemory& memory = *warp.block().launch().memory;
  const GlobalMemory::Allocation* allocation = allocation_at(warp, address, access.bytes);
  if (allocation == nullptr)
    return outside(warp, lane, address, access, Space::global, memory.nearest(address));
  if (!allocation->covers(address, access.bytes)) {
    return outside(
        warp, lane, address, access, Space::global,
        fmt::format("which reaches beyond the end of the allocation of {} bytes", allocation->bytes));
  }
  if (allocation->is_constant && access.kind != AccessKind::read) {
    warp.fault(FaultKind::read_only, fmt::format("{} {}", verb(access.kind), allocation->name), lane);
    return false;
  }
  place = place_in(warp, *allocation, address);
  return true;
}

bool locate_shared(Warp& warp, unsigned lane, std::uint64_t address, const Access& access, Space space,
                   Place& place) {
  Block* block = &warp.block();
  const std::uint64_t rank = address >> kRankShift;
  if (rank != 0) {
    if (space == Space::shared) {
      return outside(warp, lane, address, access, space,
                     "which is another block's: it needs .shared::cluster");
    }
    block = block->cluster().block(static_cast<unsigned>(rank - 1));
    if (block == nullptr) {
      return outside(warp, lane, address, access, space,
                     fmt::format("of block {} of a cluster of {}", rank - 1, warp.block().cluster().size()));
    }
  }
  const std::uint64_t offset = (address & ((std::uint64_t{1} << kRankShift) - 1)) - kSharedBase;
  const std::size_t size = block->shared().size();
  if (offset > size || size - offset < access.bytes) {
    return outside(warp, lane, address, access, space,
                   fmt::format("offset {} of the block's {} bytes", static_cast<std::int64_t>(offset), size));
  }
  place = place_in(*block, offset);
  return true;
}

bool locate_thread(Warp& warp, unsigned lane, std::uint64_t address, const Access& access, Place& place) {
  Block& block = warp.block();
  const unsigned thread = warp.index() * kLanes + lane;
  const std::span<std::byte> memory = block.thread_memory(thread);
  if (address > memory.size() || memory.size() - address < access.bytes) {
    return outside(warp, lane, address, access, Space::local,
                   fmt::format("of the thread's {} bytes", memory.size()));
  }
  Shadow& shadow = block.thread_shadow();
  place = {memory.data() + address, shadow.is_tracked() ? &shadow : nullptr,
           block.thread_memory_offset(thread) + address, Space::local, nullptr};
  return true;
}

bool locate_parameter(Warp& warp, unsigned lane, std::uint64_t address, const Access& access, Place& place) {
  if (address >= kThreadParamBase)
    return locate_thread(warp, lane, address - kThreadParamBase, access, place);
  const std::span<const std::byte> parameters = warp.block().launch().parameters;
  if (access.kind != AccessKind::read) {
    warp.fault(FaultKind::read_only, "writes the kernel's parameters", lane);
    return false;
  }
  if (address > parameters.size() || parameters.size() - address < access.bytes) {
    return outside(warp, lane, address, access, Space::param,
                   fmt::format("of {} bytes of parameters", parameters.size()));
  }
  // Never written through: see above.
  place = {const_cast<std::byte*>(parameters.data()) + address, nullptr, 0, Space::param, nullptr};
  return true;
}

/// Looks for races before an access; what is written is written through the generic proxy.
bool is_free_of_races(Warp& warp, LaneMask lanes, const Access& access,
                      const std::array<Place, kLanes>& places) {
  if (!warp.block().checks_races()) return true;
  if (!warp.block().races().check(warp, lanes, access, places)) return false;
  for (LaneMask left = access.kind == AccessKind::read ? 0 : lanes; left != 0; left &= left - 1)
    note_generic_write(warp, places[static_cast<unsigned>(std::countr_zero(left))], access.bytes);
  return true;
}

}  // namespace

std::optional<Place> find_place(Warp& warp, std::uint64_t address, const Access& access, std::size_t bytes) {
  Space space = access.space;
  resolve_generic(space, address);
  if (address % access.alignment != 0) return std::nullopt;
  if (space == Space::global) {
    const GlobalMemory::Allocation* allocation = allocation_at(warp, address, bytes);
    const bool is_refused = allocation == nullptr || !allocation->covers(address, bytes) ||
                            (allocation->is_constant && access.kind != AccessKind::read);
    if (is_refused) return std::nullopt;
    return place_in(warp, *allocation, address);
  }
  if (space == Space::shared || space == Space::shared_cluster) {
    const std::size_t size = warp.block().shared().size();
    const std::uint64_t offset = address - kSharedBase;
    if (offset > size || size - offset < bytes) return std::nullopt;
    return place_in(warp.block(), offset);
  }
  return std::nullopt;
}

bool resolve(Warp& warp, unsigned lane, std::uint64_t address, const Access& access, Place& place) {
  Space space = access.space;
  std::uint64_t in_space = address;
  resolve_generic(space, in_space);
  if (in_space % access.alignment != 0) {
    warp.fault(FaultKind::misaligned,
               fmt::format("{} {} bytes of {} memory at {:#x}, which is not a multiple of {}",
                           verb(access.kind), access.bytes, name_of(space), in_space, access.alignment),
               lane);
    return false;
  }
  switch (space) {
    case Space::shared:
    case Space::shared_cluster:
      return locate_shared(warp, lane, in_space, access, space, place);
    case Space::local:
      return locate_thread(warp, lane, in_space, access, place);
    case Space::param:
      return locate_parameter(warp, lane, in_space, access, place);
    default:
      return locate_global(warp, lane, in_space, access, place);
  }
}

std::uint64_t address_of(Warp& warp, Slot address, std::int64_t offset, unsigned lane) {
  const std::uint64_t sum = warp.value(address, lane) + static_cast<std::uint64_t>(offset);
  return address.bits == 32 ? static_cast<std::uint32_t>(sum) : sum;
}

std::uint64_t address_of(Warp& warp, const Step& step, Slot address, unsigned lane) {
  return address_of(warp, address, step.offset, lane);
}

bool locate(Warp& warp, unsigned lane, std::uint64_t address, const Access& access, Place& place) {
  if (!resolve(warp, lane, address, access, place)) return false;
  if (!warp.block().checks_races()) return true;
  if (!warp.block().races().check(warp, lane, access, place)) return false;
  if (access.kind != AccessKind::read) note_generic_write(warp, place, access.bytes);
  return true;
}

bool are_defined(Warp& warp, Slot slot, LaneMask lanes, std::string_view consequence) {
  const LaneMask undefined = warp.block().checks_definedness() ? lanes & ~warp.defined(slot) : 0;
  if (undefined == 0) return true;
  warp.fault(FaultKind::uninitialized, std::string(consequence),
             static_cast<unsigned>(std::countr_zero(undefined)));
  return false;
}

bool locate_lanes(Warp& warp, Slot address, std::int64_t offset, const Access& access, LaneMask lanes,
                  std::array<Place, kLanes>& places) {
  if (!are_addresses_defined(warp, address, lanes)) return false;
  const auto run = lanes == kAllLanes ? locate_run(warp, address, offset, access) : std::nullopt;
  for (LaneMask left = lanes; left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    if (run) {
      places[lane] = *run;
      places[lane].bytes += std::size_t{lane} * access.bytes;
      places[lane].offset += std::size_t{lane} * access.bytes;
    } else if (!resolve(warp, lane, address_of(warp, address, offset, lane), access, places[lane])) {
      return false;
    }
  }
  if (Profile* profile = warp.block().launch().profile) profile->count(access, lanes, places);
  return is_free_of_races(warp, lanes, access, places);
}

bool locate_all(Warp& warp, const Step& step, Slot address, const Access& access,
                std::array<Place, kLanes>& places) {
  return locate_lanes(warp, address, step.offset, access, warp.active(), places);
}

bool check_defined(Warp& warp, unsigned lane, const Place& place, unsigned bytes) {
  if (place.shadow == nullptr || place.shadow->is_defined(place.offset, bytes)) return true;
  std::string message =
      fmt::format("reads {} bytes of {} memory that nobody wrote, {} bytes from its beginning", bytes,
                  name_of(place.space), place.offset);
  if (const auto instruction = pending_write_to(warp, place, bytes)) {
    message += fmt::format(": the asynchronous copy issued at PTX line {} has not been waited for",
                           warp.program().origins[*instruction].line);
  }
  warp.fault(FaultKind::uninitialized, std::move(message), lane);
  return false;
}

}  // namespace lathe::runtime::ptx
