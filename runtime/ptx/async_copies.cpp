#include "runtime/ptx/async_copies.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "runtime/ptx/async_proxy.h"
#include "runtime/ptx/block.h"
#include "runtime/ptx/races.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

void perform(const AsyncCopy& copy) {
  std::byte* rest = copy.to.bytes + copy.source_bytes;
  if (copy.source_bytes != 0) std::memcpy(copy.to.bytes, copy.from.bytes, copy.source_bytes);
  std::memset(rest, 0, copy.bytes - copy.source_bytes);
  if (copy.to.shadow != nullptr) copy.to.shadow->define(copy.to.offset, copy.bytes);
}

void hide_destination(const AsyncCopy& copy) {
  if (copy.to.shadow != nullptr) copy.to.shadow->undefine(copy.to.offset, copy.bytes);
}

/// The copy may have touched its memory as late as now.
bool is_free_of_races(Warp& warp, unsigned lane, const AsyncCopy& copy) {
  RaceDetector& races = warp.block().races();
  const Access read{
      .kind = AccessKind::read, .bytes = copy.source_bytes, .alignment = 1, .space = Space::global};
  const Access written{
      .kind = AccessKind::write, .bytes = copy.bytes, .alignment = 1, .space = Space::shared};
  if (copy.source_bytes != 0 && !races.check(warp, lane, read, copy.from)) return false;
  return races.check(warp, lane, written, copy.to);
}

}  // namespace

void AsyncCopies::issue(unsigned lane, AsyncCopy copy) {
  copy.group = lanes_[lane].groups;
  hide_destination(copy);
  lanes_[lane].copies.push_back(copy);
}

void AsyncCopies::commit(unsigned lane) {
  ++lanes_[lane].groups;
}

std::span<const AsyncCopy> AsyncCopies::due(unsigned lane, std::uint64_t kept) const {
  const std::vector<AsyncCopy>& copies = lanes_[lane].copies;
  const std::uint64_t groups = lanes_[lane].groups;
  const std::uint64_t end = kept < groups ? groups - kept : 0;
  const auto last =
      std::ranges::partition_point(copies, [&](const AsyncCopy& each) { return each.group < end; });
  return {copies.begin(), last};
}

void AsyncCopies::complete(unsigned lane, std::size_t count) {
  if (count == 0) return;
  std::vector<AsyncCopy>& copies = lanes_[lane].copies;
  const auto end = copies.begin() + static_cast<std::ptrdiff_t>(count);
  std::for_each(copies.begin(), end, perform);
  lanes_[lane].done += count;
  copies.erase(copies.begin(), end);
  // A younger copy to the same place is still to come.
  std::ranges::for_each(copies, hide_destination);
}

bool complete_copies(Warp& warp, unsigned lane, std::size_t count) {
  for (const AsyncCopy& each : warp.async_copies.pending(lane).first(count)) {
    const InNameOf issuer({.warp = &warp, .lane = lane, .instruction = each.instruction});
    if (warp.block().checks_races() && !is_free_of_races(warp, lane, each)) return false;
    note_generic_write(warp, each.to, each.bytes);
  }
  warp.async_copies.complete(lane, count);
  return true;
}

const AsyncCopy* pending_copy_to(const Place& place, std::size_t bytes) {
  if (place.block == nullptr) return nullptr;
  for (const auto& warp : place.block->warps()) {
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      for (const AsyncCopy& copy : warp->async_copies.pending(lane)) {
        const std::size_t begin = copy.to.offset;
        if (begin < place.offset + bytes && place.offset < begin + copy.bytes) return &copy;
      }
    }
  }
  return nullptr;
}

void check_no_copies_pending(Warp& warp) {
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    const auto pending = warp.async_copies.untracked(lane);
    if (pending.empty()) continue;
    const Origin& origin = warp.program().origins[pending.front().instruction];
    return warp.fault(FaultKind::illegal,
                      fmt::format("the thread ends without having waited for {} of its asynchronous copies, "
                                  "the first issued at PTX line {}, `{}`",
                                  pending.size(), origin.line, origin.text),
                      lane);
  }
}

}  // namespace lathe::runtime::ptx
