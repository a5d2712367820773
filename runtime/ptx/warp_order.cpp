#include "runtime/ptx/warp_order.h"

namespace lathe::runtime::ptx {

WarpOrder::WarpOrder(std::uint32_t cluster, std::uint16_t warp, std::size_t warps)
    : cluster_(cluster), warp_(warp), clock_(warps) {
  clock_.advance(warp_);
}

PastPointer WarpOrder::publish(Ordering ordering) {
  if (!releases(ordering)) return fenced_;
  const PastPointer published = present();
  clock_.advance(warp_);
  return published;
}

void WarpOrder::observe(Ordering ordering, const PastPointer& published) {
  if (acquires(ordering)) {
    acquire(published);
  } else {
    observed_ = joined(observed_, published);
  }
}

void WarpOrder::fence() {
  acquire(observed_);
  observed_ = nullptr;
  fenced_ = present();
  clock_.advance(warp_);
}

void WarpOrder::acquire(const PastPointer& past) {
  if (past == nullptr || past == others_) return;
  if (const VectorClock* clock = past->clock_of(cluster_)) clock_.join(*clock);
  others_ = joined(others_, past);
}

void WarpOrder::arrive(PhasePast& phase, bool releases) {
  if (!releases) {
    phase.others = joined(phase.others, fenced_);
    return;
  }
  phase.clock.join(clock_);
  phase.others = joined(phase.others, others_);
  phase.fenced = joined(phase.fenced, fenced_);
  phase.observed = joined(phase.observed, observed_);
  clock_.advance(warp_);
}

void WarpOrder::pass(const PhasePast& phase) {
  clock_.join(phase.clock);
  acquire(phase.others);
  fenced_ = joined(fenced_, phase.fenced);
  observed_ = joined(observed_, phase.observed);
}

}  // namespace lathe::runtime::ptx
