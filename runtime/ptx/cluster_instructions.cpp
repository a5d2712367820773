// mapa, getctarank and the cluster's barrier.
#include <bit>

#include "runtime/ptx/access_modifiers.h"
#include "runtime/ptx/block.h"
#include "runtime/ptx/cluster.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/lanes.h"
#include "runtime/ptx/memory_access.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

constexpr std::uint64_t kOffsetMask = (std::uint64_t{1} << kRankShift) - 1;

/// The same offset in another block; generic addresses keep their window.
template <class T>
T mapped(T address, std::uint32_t rank) {
  const T window = static_cast<T>(address & static_cast<T>(kSharedWindow));
  return static_cast<T>(window | (address & static_cast<T>(kOffsetMask)) | (T{rank + 1} << kRankShift));
}

Execute decode_map(Decoding& decoding) {
  take_space(decoding);
  const unsigned bits = bits_of(decoding.take_type());
  decoding.output(0, bits);
  decoding.input(1, bits);
  decoding.input(2, 32);
  return bits == 32 ? elementwise<mapped<std::uint32_t>> : elementwise<mapped<std::uint64_t>>;
}

void execute_rank(Warp& warp, const Step& step) {
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    const std::uint64_t rank = (warp.value(step.input(0), lane) & ~kSharedWindow) >> kRankShift;
    warp.set_value(step.output(0), lane, rank == 0 ? warp.block().rank() : rank - 1);
  }
}

Execute decode_rank(Decoding& decoding) {
  take_space(decoding);
  const unsigned bits = bits_of(decoding.take_type());
  decoding.output(0, 32);
  decoding.input(1, bits);
  return execute_rank;
}

/// What Step::number holds.
constexpr std::uint64_t kAligned = 1;
constexpr std::uint64_t kRelaxed = 2;

void execute_arrive(Warp& warp, const Step& step) {
  if ((step.number & kAligned) != 0 && !warp.converged(warp.live())) return;
  Warp::ClusterArrivals& arrivals = warp.cluster_arrivals;
  if ((arrivals.lanes & warp.active()) != 0) {
    return warp.fault(FaultKind::illegal, "arrives at the cluster's barrier again without having waited",
                      static_cast<unsigned>(std::countr_zero(arrivals.lanes & warp.active())));
  }
  Cluster& cluster = warp.block().cluster();
  const auto lanes = static_cast<unsigned>(std::popcount(warp.active()));
  const std::uint64_t ticket = cluster.barrier().arrive(lanes, 0, cluster.live_threads());
  if (warp.block().checks_races())
    cluster.races()->arrive(warp, cluster.barrier(), ticket, {.releases = (step.number & kRelaxed) == 0});
  arrivals.lanes |= warp.active();
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    if ((warp.active() >> lane & 1) != 0) arrivals.tickets[lane] = ticket;
  }
}

void execute_wait(Warp& warp, const Step& step) {
  if ((step.number & kAligned) != 0 && !warp.converged(warp.live())) return;
  Warp::ClusterArrivals& arrivals = warp.cluster_arrivals;
  if ((warp.active() & ~arrivals.lanes) != 0) {
    return warp.fault(FaultKind::illegal, "waits at the cluster's barrier without having arrived",
                      static_cast<unsigned>(std::countr_zero(warp.active() & ~arrivals.lanes)));
  }
  Cluster& cluster = warp.block().cluster();
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    const bool is_active = (warp.active() >> lane & 1) != 0;
    if (is_active && !cluster.barrier().has_passed(arrivals.tickets[lane])) return warp.stall();
  }
  for (LaneMask left = warp.block().checks_races() ? warp.active() : 0; left != 0; left &= left - 1)
    cluster.races()->pass(warp, cluster.barrier(), arrivals.tickets[std::countr_zero(left)]);
  arrivals.lanes &= ~warp.active();
}

}  // namespace

Execute decode_cluster_barrier(Decoding& decoding) {
  decoding.take_any({"release", "acquire"});
  decoding.step.number =
      (decoding.take("aligned") ? kAligned : 0) | (decoding.take("relaxed") ? kRelaxed : 0);
  if (decoding.take("arrive")) return execute_arrive;
  if (decoding.take("wait")) return execute_wait;
  return nullptr;
}

void add_cluster_instructions(InstructionTable& table) {
  table["mapa"] = {decode_map, StepClass::move};
  table["getctarank"] = {decode_rank, StepClass::move};
}

}  // namespace lathe::runtime::ptx
