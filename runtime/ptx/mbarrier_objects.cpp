#include "runtime/ptx/mbarrier_objects.h"

#include <cstring>

#include <fmt/format.h>

#include "runtime/ptx/block.h"
#include "runtime/ptx/cluster.h"
#include "runtime/ptx/memory_access.h"
#include "runtime/ptx/races.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

/// What the 8 bytes hold, so that it shows if somebody writes over them: "mbarrier".
constexpr std::uint64_t kMark = 0x726569727261626D;

std::uint64_t mark_at(const Place& place) {
  std::uint64_t mark = 0;
  std::memcpy(&mark, place.bytes, sizeof mark);
  return mark;
}

std::string described(Warp& warp, const Place& place) {
  if (place.block == &warp.block()) return fmt::format("the mbarrier at offset {}", place.offset);
  const codegen::Dim3& block = place.block->index();
  return fmt::format("the mbarrier at offset {} of block ({}, {}, {})", place.offset, block.x, block.y,
                     block.z);
}

const Issuer& issuer_of(const PendingSignal& signal) {
  return std::visit([](const auto& each) -> const Issuer& { return each.issuer; }, signal);
}

/// The asynchronous operation releases what it did to those who wait.
bool release(const Issuer& issuer, const Place& place) {
  Warp& warp = *issuer.warp;
  const Access access{.kind = AccessKind::atomic,
                      .bytes = 8,
                      .alignment = 8,
                      .space = Space::shared,
                      .ordering = Ordering::release};
  return !warp.block().checks_races() || warp.block().races().check(warp, issuer.lane, access, place);
}

bool perform(AsyncTransfer& transfer) {
  return (transfer.is_read || read(transfer)) && write(transfer);
}

bool perform(const CopiesArrival& arrival) {
  Warp& warp = *arrival.issuer.warp;
  const unsigned lane = arrival.issuer.lane;
  return complete_copies(warp, lane, warp.async_copies.pending_of(lane, arrival.copies));
}

std::string_view signal(Mbarrier& state, const AsyncTransfer& transfer) {
  return state.complete_bytes(transfer.bytes);
}

std::string_view signal(Mbarrier& state, const CopiesArrival&) {
  return state.arrive(1);
}

bool perform(const Place& mbarrier, MbarrierObject& object, std::size_t which) {
  PendingSignal signalling = std::move(object.pending[which]);
  object.pending.erase(object.pending.begin() + static_cast<std::ptrdiff_t>(which));
  const Issuer issuer = issuer_of(signalling);
  const InNameOf name(issuer);
  return std::visit(
      [&](auto& each) {
        return perform(each) && release(issuer, mbarrier) &&
               check_rule(*issuer.warp, issuer.lane, signal(object.state, each), mbarrier);
      },
      signalling);
}

}  // namespace

bool check_rule(Warp& warp, unsigned lane, std::string_view rule, const Place& place) {
  ++warp.block().cluster().changes;
  if (rule.empty()) return true;
  const auto object = place.block->mbarriers().find(place.offset);
  warp.fault(
      FaultKind::illegal,
      fmt::format("{}: {}", rule, described(warp, place)) +
          (object == place.block->mbarriers().end() ? "" : ", whose " + object->second.state.describe()),
      lane);
  return false;
}

/// A generic address may be of any memory.
bool check_is_shared(Warp& warp, unsigned lane, const Place& place) {
  if (place.space == Space::shared) return true;
  warp.fault(FaultKind::illegal, fmt::format("an mbarrier in {} memory", name_of(place.space)), lane);
  return false;
}

bool add_mbarrier(Warp& warp, unsigned lane, const Place& place, std::uint64_t arrivals) {
  if (!check_is_shared(warp, lane, place)) return false;
  MbarrierObjects& objects = place.block->mbarriers();
  if (const auto before = objects.find(place.offset); before != objects.end() && mark_at(place) == kMark)
    return check_rule(warp, lane, "it is initialised already, and was not invalidated", place);
  if (arrivals == 0 || arrivals > Mbarrier::kMostArrivals) {
    return check_rule(warp, lane, fmt::format("the count is {}, it must be 1 to 2^20 - 1", arrivals), place);
  }
  objects.insert_or_assign(place.offset, MbarrierObject{Mbarrier(static_cast<std::uint32_t>(arrivals)), {}});
  std::memcpy(place.bytes, &kMark, sizeof kMark);
  if (place.shadow != nullptr) place.shadow->define(place.offset, sizeof kMark);
  return check_rule(warp, lane, {}, place);
}

bool remove_mbarrier(Warp& warp, unsigned lane, const Place& place) {
  const MbarrierObject* object = live_mbarrier(warp, lane, place);
  if (object == nullptr) return false;
  if (!object->pending.empty())
    return check_rule(warp, lane, "it is invalidated while asynchronous operations have yet to signal it",
                      place);
  place.block->mbarriers().erase(place.offset);
  if (place.shadow != nullptr) place.shadow->undefine(place.offset, sizeof kMark);
  return check_rule(warp, lane, {}, place);
}

MbarrierObject* live_mbarrier(Warp& warp, unsigned lane, const Place& place) {
  if (!check_is_shared(warp, lane, place)) return nullptr;
  const auto object = place.block->mbarriers().find(place.offset);
  if (object == place.block->mbarriers().end()) {
    check_rule(warp, lane, "it was never initialised, or has been invalidated", place);
    return nullptr;
  }
  if (mark_at(place) != kMark) {
    check_rule(warp, lane, "something was stored over it", place);
    return nullptr;
  }
  if (place.block != &warp.block() && place.block->live_threads() == 0) {
    check_rule(warp, lane, "its block has ended", place);
    return nullptr;
  }
  return &object->second;
}

bool issue(AsyncTransfer transfer, const Place& mbarrier) {
  MbarrierObject* object = live_mbarrier(*transfer.issuer.warp, transfer.issuer.lane, mbarrier);
  if (object == nullptr || !begin(transfer)) return false;
  object->pending.emplace_back(std::move(transfer));
  return true;
}

bool issue(const CopiesArrival& arrival, const Place& mbarrier) {
  MbarrierObject* object = live_mbarrier(*arrival.issuer.warp, arrival.issuer.lane, mbarrier);
  if (object == nullptr) return false;
  ++mbarrier.block->cluster().changes;
  object->pending.emplace_back(arrival);
  return true;
}

bool perform_pending(const Place& mbarrier, MbarrierObject& object, const AwaitedPhase& phase) {
  Schedule& schedule = mbarrier.block->schedule();
  const auto all = static_cast<unsigned>(object.pending.size());
  unsigned count = schedule.is_random && all != 0 ? schedule.pick(all + 1) : all;
  for (; count != 0 && !phase.is_over(object.state); --count) {
    const unsigned which =
        schedule.is_random ? schedule.pick(static_cast<unsigned>(object.pending.size())) : 0;
    if (!perform(mbarrier, object, which)) return false;
  }
  return true;
}

bool finish_pending(Block& block) {
  for (auto& [offset, object] : block.mbarriers()) {
    while (!object.pending.empty()) {
      const Issuer issuer = issuer_of(object.pending.front());
      const Place place{block.shared().data() + offset, nullptr, offset, Space::shared, &block};
      if (block.checks_definedness()) {
        const InNameOf name(issuer);
        return check_rule(
            *issuer.warp, issuer.lane,
            "the block ends before the asynchronous operation is done, and nothing has waited for it", place);
      }
      if (!perform(place, object, 0)) return false;
    }
  }
  return true;
}

}  // namespace lathe::runtime::ptx
