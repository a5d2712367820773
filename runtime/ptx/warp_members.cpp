#include "runtime/ptx/warp_members.h"

#include <bit>

#include <fmt/format.h>

#include "runtime/ptx/block.h"

namespace lathe::runtime::ptx {

bool members_are_together(Warp& warp, const Step&, Slot members) {
  const auto* masks = warp.lanes<std::uint32_t>(members);
  if (warp.block().checks_definedness() && (warp.active() & ~warp.defined(members)) != 0) {
    warp.fault(FaultKind::uninitialized, "the mask of members depends on it",
               static_cast<unsigned>(std::countr_zero(warp.active() & ~warp.defined(members))));
    return false;
  }
  LaneMask awaited = 0;
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    if ((masks[lane] >> lane & 1) == 0) {
      warp.fault(FaultKind::divergence,
                 fmt::format("lane {} is not in its own mask {:#010x}", lane, masks[lane]), lane);
      return false;
    }
    awaited |= masks[lane];
  }
  return warp.converged(awaited);
}

bool are_aligned(Warp& warp) {
  const LaneMask exited = warp.born() & ~warp.live();
  const LaneMask kept_out = warp.group().lanes & ~warp.active();
  if ((exited | kept_out) == 0) return warp.converged(warp.live());
  warp.fault(FaultKind::divergence,
             fmt::format("lanes {:#010x} of the warp {}, the others execute what needs all of them",
                         exited != 0 ? exited : kept_out,
                         exited != 0 ? "have exited" : "are kept out by the guard"));
  return false;
}

bool are_all_aligned(Warp& warp) {
  if (warp.born() == kAllLanes) return are_aligned(warp);
  warp.fault(FaultKind::divergence, fmt::format("the warp has only {} threads, the instruction needs {}",
                                                std::popcount(warp.born()), kLanes));
  return false;
}

}  // namespace lathe::runtime::ptx
