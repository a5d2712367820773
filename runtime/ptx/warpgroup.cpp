#include "runtime/ptx/warpgroup.h"

#include <algorithm>

#include <fmt/format.h>

#include "runtime/ptx/block.h"
#include "runtime/ptx/warp.h"
#include "runtime/ptx/warp_members.h"

namespace lathe::runtime::ptx {

namespace {

int line_of(const Warp& warp, const WarpgroupStep& step) {
  return warp.program().origins[step.instruction].line;
}

}  // namespace

std::uint64_t& Warpgroup::executed(const Warp& warp) {
  return executed_[warp.index() % kWarpgroupWarps];
}

bool Warpgroup::join(Warp& warp, const WarpgroupStep& step) {
  const std::uint64_t number = executed(warp)++;
  if (number == first_ + steps_.size()) {
    steps_.push_back(step);
    const unsigned first_warp = warp.index() - warp.index() % kWarpgroupWarps;
    for (unsigned i = 0; i < kWarpgroupWarps; ++i) {
      const Warp& other = *warp.block().warps()[first_warp + i];
      if (executed_[i] > number || other.live() == other.born()) continue;
      warp.fault(FaultKind::divergence,
                 fmt::format("threads of warp {}, of the same warpgroup, have exited", other.index()));
      return false;
    }
    return true;
  }
  const WarpgroupStep& others = steps_[number - first_];
  if (others.instruction != step.instruction) {
    warp.fault(FaultKind::divergence,
               fmt::format("another warp of the warpgroup executed what is at PTX line {} instead",
                           line_of(warp, others)));
    return false;
  }
  if (others.operands != step.operands) {
    const auto differs = std::ranges::mismatch(others.operands, step.operands);
    warp.fault(FaultKind::divergence,
               fmt::format("the warps of the warpgroup give different operands: {:#x} and {:#x}",
                           *differs.in1, *differs.in2));
    return false;
  }
  forget();
  return true;
}

void Warpgroup::forget() {
  for (const std::uint64_t least = std::ranges::min(executed_); first_ < least; ++first_) steps_.pop_front();
}

void Warpgroup::leave(Warp& warp) {
  const std::uint64_t number = executed(warp);
  if (number == first_ + steps_.size()) return;
  warp.fault(
      FaultKind::divergence,
      fmt::format("threads exit without having executed what is at PTX line {}, as other warps of their "
                  "warpgroup have",
                  line_of(warp, steps_[number - first_])));
}

bool is_warpgroup_aligned(Warp& warp) {
  const unsigned needed = (warp.index() / kWarpgroupWarps + 1) * kWarpgroupWarps * kLanes;
  if (warp.block().threads() < needed) {
    warp.fault(FaultKind::divergence,
               fmt::format("the last warpgroup has only {} of its 128 threads, the instruction needs all",
                           warp.block().threads() % (kWarpgroupWarps * kLanes)));
    return false;
  }
  return are_all_aligned(warp);
}

}  // namespace lathe::runtime::ptx
