#include "runtime/ptx/races.h"

#include <algorithm>
#include <bit>
#include <mutex>

#include "runtime/ptx/barrier.h"
#include "runtime/ptx/block.h"
#include "runtime/ptx/launch.h"
#include "runtime/ptx/race_report.h"

namespace lathe::runtime::ptx {

namespace {

bool is_strong(const Access& access) {
  return access.kind == AccessKind::atomic || access.ordering != Ordering::weak;
}

bool is_write(const Access& access) {
  return access.kind != AccessKind::read;
}

}  // namespace

/// Visits the pages of places, and holds the lock of the one it is at.
class RaceDetector::Pages {
 public:
  explicit Pages(RaceDetector& detector) : detector_(&detector) {}

  /// function(page, offset in the page, bytes) for each page that the bytes lie in, until it returns false.
  /// Only shared and global memory has any.
  template <class Function>
  bool visit(const Place& place, std::size_t bytes, Function function) {
    if (place.space != Space::shared && place.space != Space::global) return true;
    std::uint64_t at =
        place.space == Space::shared ? place.offset : reinterpret_cast<std::uintptr_t>(place.bytes);
    while (bytes != 0) {
      go_to(place, at / HistoryPage::kBytes);
      const std::size_t offset = at % HistoryPage::kBytes;
      const std::size_t count = std::min(HistoryPage::kBytes - offset, bytes);
      if (!function(*page_, offset, count)) return false;
      at += count;
      bytes -= count;
    }
    return true;
  }

 private:
  void go_to(const Place& place, std::uint64_t number) {
    HistoryPage& page = place.space == Space::shared ? detector_->shared_[place.block->rank()].page(number)
                                                     : detector_->global_page(number);
    if (page_ == &page) return;
    lock_ = {};  // never two at once
    lock_ = std::unique_lock(page.mutex);
    page_ = &page;
  }

  RaceDetector* detector_;
  HistoryPage* page_ = nullptr;
  std::unique_lock<std::mutex> lock_;
};

RaceDetector::RaceDetector(const Launch& launch, std::uint32_t cluster, std::size_t shared_bytes)
    : launch_(&launch) {
  const codegen::Dim3& block = launch.facts.block;
  const codegen::Dim3& blocks = launch.facts.cluster;
  const std::size_t ranks = std::size_t{blocks.x} * blocks.y * blocks.z;
  warps_per_block_ = (std::size_t{block.x} * block.y * block.z + kLanes - 1) / kLanes;
  const std::size_t warps = ranks * warps_per_block_;
  for (std::size_t warp = 0; warp < warps; ++warp)
    orders_.emplace_back(cluster, static_cast<std::uint16_t>(warp), warps);
  for (std::size_t rank = 0; rank < ranks; ++rank) shared_.emplace_back(shared_bytes);
  awaited_.resize(warps);
}

std::size_t RaceDetector::number_of(Warp& warp) const {
  return warp.block().rank() * warps_per_block_ + warp.index();
}

HistoryPage& RaceDetector::global_page(std::uint64_t number) {
  KnownPage& known = known_pages_[number % known_pages_.size()];
  if (known.number != number) known = {number, &launch_->history->page(number)};
  return *known.page;
}

Touch RaceDetector::touch(Warp& warp, const Access& access) {
  const WarpOrder& order = order_of(warp);
  return {.cluster = order.cluster(),
          .epoch = order.epoch(),
          .instruction = warp.instruction(),
          .warp = order.warp(),
          .bytes = 0,
          .is_write = is_write(access),
          .is_strong = is_strong(access)};
}

/// One instruction of a warp.
struct RaceDetector::Present {
  Touch touch;
  PastPointer published;  ///< with the value of a strong write
};

RaceDetector::Present RaceDetector::present(Warp& warp, const Access& access) {
  const Touch now = touch(warp, access);
  const bool publishes = now.is_write && now.is_strong;
  return {now, publishes ? order_of(warp).publish(access.ordering) : nullptr};
}

bool RaceDetector::check_lane(Warp& warp, unsigned lane, const Access& access, const Place& place,
                              const Present& now, Pages& pages) {
  const WarpOrder& order = order_of(warp);
  const Touch* other = nullptr;
  pages.visit(place, access.bytes, [&](HistoryPage& page, std::size_t offset, std::size_t bytes) {
    other = page.add(offset, bytes, now.touch, order);
    if (other == nullptr) page.publish(offset, bytes, now.published);
    return other == nullptr;
  });
  if (other != nullptr) warp.fault(FaultKind::race, describe_race(warp, access, place, *other), lane);
  return other == nullptr;
}

bool RaceDetector::check(Warp& warp, unsigned lane, const Access& access, const Place& place) {
  Pages pages(*this);
  return check_lane(warp, lane, access, place, present(warp, access), pages);
}

bool RaceDetector::check(Warp& warp, LaneMask lanes, const Access& access,
                         const std::array<Place, kLanes>& places) {
  Pages pages(*this);
  const Present now = present(warp, access);
  for (LaneMask left = lanes; left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    if (!check_lane(warp, lane, access, places[lane], now, pages)) return false;
  }
  return true;
}

void RaceDetector::observe(Warp& warp, const Access& access, const std::array<Place, kLanes>& places) {
  WarpOrder& order = order_of(warp);
  const Touch read = touch(warp, access);
  PastPointer published;
  {
    Pages pages(*this);
    for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
      const Place& place = places[static_cast<unsigned>(std::countr_zero(left))];
      pages.visit(place, access.bytes, [&](HistoryPage& page, std::size_t offset, std::size_t bytes) {
        published = joined(published, page.observe(offset, bytes, read));
        return true;
      });
    }
  }
  order.observe(access.ordering, published);
}

void RaceDetector::arrive(Warp& warp, const Barrier& barrier, std::uint64_t ticket, const Arrival& arrival) {
  Phase& phase = arriving_[&barrier];
  if (phase.past == nullptr || phase.ticket != ticket)
    phase = {&barrier, ticket, std::make_shared<PhasePast>(orders_.size())};
  order_of(warp).arrive(*phase.past, arrival.releases);
  if (!arrival.waits) return;
  std::vector<Phase>& awaited = awaited_[number_of(warp)];
  const bool is_known =
      std::ranges::any_of(awaited, [&](const Phase& each) { return each.past == phase.past; });
  if (!is_known) awaited.push_back(phase);
}

void RaceDetector::pass(Warp& warp, const Barrier& barrier, std::uint64_t ticket) {
  std::vector<Phase>& awaited = awaited_[number_of(warp)];
  const auto phase = std::ranges::find_if(
      awaited, [&](const Phase& each) { return each.barrier == &barrier && each.ticket == ticket; });
  if (phase == awaited.end()) return;
  order_of(warp).pass(*phase->past);
  awaited.erase(phase);
}

}  // namespace lathe::runtime::ptx
