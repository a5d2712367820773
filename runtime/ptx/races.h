// RaceDetector: finds accesses to the same bytes that nothing orders, of which one is a write, and which are
// not both strong (atomic, volatile, relaxed, acquire or release).
//
// It follows the causality order of the PTX memory model: of what a run did, it reports the races that
// another schedule could have made visible, not only those that changed a result. A warp is taken as one
// thread. A false alarm is worse than a miss, so that these are not seen:
//  - races between the lanes of one warp, but for one instruction that stores different values to the same
//    bytes (lane_agreement.h);
//  - scopes that are too narrow: what is .cta counts as .gpu does;
//  - fences in other warps than the one that writes or reads the flag, with a barrier between (warp_order.h);
//  - flags: a strong read is taken to have seen all strong writes that were there, though it may have been
//  given
//    the value of an older one; and a relaxed store hands on what earlier ones to the same word released;
//  - what happened to a word before four other accesses that nothing orders; reads are forgotten first.
//
// An instruction with a way of completion of its own has to say what it orders, by strong accesses: arriving
// at an mbarrier is an atomic release of its word, having waited for it an acquiring read (observe()).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "runtime/ptx/access_history.h"
#include "runtime/ptx/memory_access.h"
#include "runtime/ptx/program.h"
#include "runtime/ptx/warp.h"
#include "runtime/ptx/warp_order.h"

namespace lathe::runtime::ptx {

struct Barrier;
struct Launch;

/// Of one cluster, whose blocks all run on one thread. Accesses of other clusters are found in the launch's
/// GlobalHistory.
class RaceDetector {
 public:
  /// REQUIRES: the launch outlives it.
  RaceDetector(const Launch& launch, std::uint32_t cluster, std::size_t shared_bytes);

  /// Before an access: reports a race, and returns false then. A strong write publishes what it releases:
  /// before anybody can see its value.
  bool check(Warp& warp, unsigned lane, const Access& access, const Place& place);
  bool check(Warp& warp, LaneMask lanes, const Access& access, const std::array<Place, kLanes>& places);
  /// After a strong read of the active lanes, which acquires what was published with the value: when it is
  /// known which one.
  void observe(Warp& warp, const Access& access, const std::array<Place, kLanes>& places);

  void fence(Warp& warp) { order_of(warp).fence(); }

  struct Arrival {
    bool waits = true;     ///< now or later; then there will be a pass()
    bool releases = true;  ///< false: only what a fence was put behind is ordered by it
  };
  /// At a barrier, in the phase of the ticket.
  void arrive(Warp& warp, const Barrier& barrier, std::uint64_t ticket, const Arrival& arrival);
  /// The phase of the ticket is over, and the warp goes on. Once for each arrival; more do no harm.
  void pass(Warp& warp, const Barrier& barrier, std::uint64_t ticket);

 private:
  struct Phase {
    const Barrier* barrier = nullptr;
    std::uint64_t ticket = 0;
    std::shared_ptr<PhasePast> past;
  };
  /// A page of global memory used lately, so that their map need not be asked.
  struct KnownPage {
    std::uint64_t number = ~std::uint64_t{0};
    HistoryPage* page = nullptr;
  };
  class Pages;

  struct Present;

  std::size_t number_of(Warp& warp) const;
  WarpOrder& order_of(Warp& warp) { return orders_[number_of(warp)]; }
  Touch touch(Warp& warp, const Access& access);
  Present present(Warp& warp, const Access& access);
  bool check_lane(Warp& warp, unsigned lane, const Access& access, const Place& place, const Present& now,
                  Pages& pages);
  HistoryPage& global_page(std::uint64_t number);

  const Launch* launch_;
  std::size_t warps_per_block_;
  std::vector<WarpOrder> orders_;
  std::vector<SharedHistory> shared_;         // by rank
  std::map<const Barrier*, Phase> arriving_;  // the phase that was last arrived at
  std::vector<std::vector<Phase>> awaited_;   // by warp
  std::array<KnownPage, 64> known_pages_;
};

}  // namespace lathe::runtime::ptx
