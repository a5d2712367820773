// WarpOrder: what happened before whatever a warp does next.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/ptx/ordering.h"
#include "runtime/ptx/past.h"

namespace lathe::runtime::ptx {

/// What those who have arrived at one phase of a barrier bring along for those who pass it.
struct PhasePast {
  explicit PhasePast(std::size_t warps) : clock(warps) {}

  VectorClock clock;  ///< of the barrier's cluster
  PastPointer others;
  PastPointer fenced;
  PastPointer observed;
};

/// Follows the causality order of the PTX memory model, with one liberty: fences reach through barriers. All
/// warps of a block may fence what they wrote, meet at a barrier, and one of them release it by a relaxed
/// write; or one may see a flag, and all fence behind the barrier that follows. Devices order that, and much
/// code relies on it, although the model asks for the fence in the very thread that writes or reads the flag.
class WarpOrder {
 public:
  /// `warp`: its number in the cluster, of `warps`.
  WarpOrder(std::uint32_t cluster, std::uint16_t warp, std::size_t warps);

  std::uint32_t cluster() const { return cluster_; }
  std::uint16_t warp() const { return warp_; }
  /// The stamp of its next access.
  Epoch epoch() const { return clock_[warp_]; }

  bool is_after(std::uint32_t cluster, std::uint16_t warp, Epoch epoch) const {
    if (cluster == cluster_) return clock_[warp] >= epoch;
    const VectorClock* clock = others_ == nullptr ? nullptr : others_->clock_of(cluster);
    return clock != nullptr && (*clock)[warp] >= epoch;
  }

  /// A strong write of this ordering lets those who see its value know of the result: a release all that was
  /// before it and itself, others what was before the last fence.
  PastPointer publish(Ordering ordering);
  /// A strong read of this ordering saw a value with which this was published.
  void observe(Ordering ordering, const PastPointer& published);
  void fence();

  /// `releases`: false for an arrival that orders nothing by itself.
  void arrive(PhasePast& phase, bool releases);
  void pass(const PhasePast& phase);

 private:
  PastPointer present() const { return Past::with(others_, cluster_, clock_); }
  void acquire(const PastPointer& past);

  std::uint32_t cluster_;
  std::uint16_t warp_;
  VectorClock clock_;
  PastPointer others_;    // clusters; what it says of this one is in clock_ too
  PastPointer fenced_;    // what the next strong write publishes
  PastPointer observed_;  // what the next fence acquires
};

}  // namespace lathe::runtime::ptx
