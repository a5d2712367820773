#include "runtime/ptx/mbarrier_deadlock.h"

#include <string>

#include <fmt/format.h>

#include "runtime/ptx/block.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

std::string described(const AwaitedPhase& phase) {
  return phase.is_parity ? fmt::format("the phase of parity {}", phase.number)
                         : fmt::format("phase {}", phase.number);
}

std::string described(Warp& warp, const FailedWait& wait) {
  const Origin& origin = warp.program().origins[wait.instruction];
  const codegen::Dim3& block = warp.block().index();
  std::string text = fmt::format(
      "warp {} of block ({}, {}, {}), lanes {:#010x}, at PTX line {}, `{}`, for {} of the mbarrier at offset "
      "{}",
      warp.index(), block.x, block.y, block.z, wait.lanes, origin.line, origin.text, described(wait.phase),
      wait.offset);
  const auto object = warp.block().mbarriers().find(wait.offset);
  if (object != warp.block().mbarriers().end()) text += ", whose " + object->second.state.describe();
  return text;
}

}  // namespace

bool report_mbarrier_deadlock(const std::vector<Warp*>& warps) {
  constexpr std::size_t kShown = 8;
  Warp* first = nullptr;
  std::size_t waits = 0;
  std::string text;
  std::string blocked;
  for (Warp* warp : warps) {
    if (warp->failed_waits().empty() && ++waits <= kShown) blocked += "; " + warp->waits();
    for (const FailedWait& wait : warp->failed_waits()) {
      if (++waits <= kShown)
        text += fmt::format("{}{}", first == nullptr ? "" : "; ", described(*warp, wait));
      if (first == nullptr) first = warp;
    }
  }
  if (first == nullptr) return false;
  if (waits > kShown) blocked += fmt::format("; and {} more", waits - kShown);
  const InNameOf issuer({.warp = first, .lane = 0, .instruction = first->failed_waits().front().instruction});
  first->fault(FaultKind::deadlock,
               fmt::format("nothing happens any more while these wait: {}{}", text, blocked));
  return true;
}

}  // namespace lathe::runtime::ptx
