// bar, barrier, membar, fence: waiting for other threads.
#include <bit>

#include <fmt/format.h>

#include "runtime/ptx/block.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/races.h"
#include "runtime/ptx/warp.h"
#include "runtime/ptx/warp_members.h"

namespace lathe::runtime::ptx {

namespace {

enum class Reduction : std::uint8_t { none, popc, all, any };

struct BarrierFacts : Facts {
  bool waits = true;
  bool is_aligned = true;
  bool has_count = false;
  Reduction reduction = Reduction::none;
};

/// The operand of the first active lane; a fault if another lane has another.
std::optional<unsigned> uniform_value(Warp& warp, Slot slot, std::string_view what) {
  const auto first = static_cast<unsigned>(std::countr_zero(warp.active()));
  const auto* values = warp.lanes<std::uint32_t>(slot);
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    if ((warp.active() >> lane & 1) == 0 || values[lane] == values[first]) continue;
    warp.fault(FaultKind::divergence,
               fmt::format("the lanes give different {}: {} and {}", what, values[first], values[lane]),
               lane);
    return std::nullopt;
  }
  return values[first];
}

/// Inputs: barrier, count, predicate. Output, of a reduction: its result.
void execute_barrier(Warp& warp, const Step& step) {
  const auto& facts = static_cast<const BarrierFacts&>(*step.facts);
  if (facts.is_aligned && !are_aligned(warp)) return;
  const auto id = uniform_value(warp, step.input(0), "barriers");
  const auto count = uniform_value(warp, step.input(1), "thread counts");
  if (!id || !count) return;
  if (*id >= warp.block().barriers().size())
    return warp.fault(FaultKind::illegal, fmt::format("barrier {} of 16", *id));
  if (facts.has_count && (*count == 0 || *count % kLanes != 0)) {
    return warp.fault(FaultKind::illegal,
                      fmt::format("the thread count is {}, it must be a multiple of 32", *count));
  }
  Barrier& barrier = warp.block().barriers()[*id];
  std::optional<std::uint64_t>& ticket = warp.group().ticket;
  if (!ticket) {
    const auto lanes = static_cast<unsigned>(std::popcount(warp.active()));
    if (facts.reduction != Reduction::none) {
      barrier.voters += lanes;
      barrier.votes += static_cast<unsigned>(std::popcount(warp.active() & warp.mask(step.input(2))));
    }
    // With a count whole warps count, the lanes that the last one lacks too.
    const unsigned arriving = facts.is_aligned && facts.has_count ? kLanes : lanes;
    ticket = barrier.arrive(arriving, facts.has_count ? *count : 0, warp.block().live_threads());
    if (warp.block().checks_races())
      warp.block().races().arrive(warp, barrier, *ticket, {.waits = facts.waits});
  }
  if (facts.waits && !barrier.has_passed(*ticket)) return warp.stall();
  if (facts.waits && warp.block().checks_races()) warp.block().races().pass(warp, barrier, *ticket);
  ticket.reset();
  if (facts.reduction == Reduction::popc) {
    for (LaneMask left = warp.active(); left != 0; left &= left - 1)
      warp.set_value(step.output(0), static_cast<unsigned>(std::countr_zero(left)), barrier.last_votes);
  } else if (facts.reduction != Reduction::none) {
    const bool is_true = facts.reduction == Reduction::all ? barrier.last_votes == barrier.last_voters
                                                           : barrier.last_votes != 0;
    warp.set_mask(step.output(0), is_true ? kAllLanes : 0);
  }
}

/// Inputs: members.
void execute_warp_sync(Warp& warp, const Step& step) {
  members_are_together(warp, step, step.input(0));
}

void take_reduction(Decoding& decoding, BarrierFacts& facts) {
  if (!decoding.take("red")) return;
  const std::string_view operation = decoding.take_any({"popc", "and", "or"});
  decoding.take_type();
  facts.reduction = operation == "popc"  ? Reduction::popc
                    : operation == "and" ? Reduction::all
                                         : Reduction::any;
  if (operation.empty()) decoding.fail("popc, and or or is expected");
  decoding.output(0, facts.reduction == Reduction::popc ? 32 : 1);
}

/// `bar` is `barrier.aligned`.
Execute decode_barrier(Decoding& decoding) {
  if (decoding.take("cluster")) return decode_cluster_barrier(decoding);
  if (decoding.take("warp")) {
    decoding.take("sync");
    decoding.input(0, 32);
    return execute_warp_sync;
  }
  auto& facts = decoding.add_facts<BarrierFacts>();
  decoding.take("cta");
  facts.is_aligned = decoding.take("aligned") || decoding.instruction().opcode == "bar";
  facts.waits = !decoding.take("arrive");
  decoding.take("sync");
  take_reduction(decoding, facts);
  const bool reduces = facts.reduction != Reduction::none;
  const std::size_t first = reduces ? 1 : 0;
  const std::size_t last = decoding.operands() - (reduces ? 1 : 0);  // of barrier and count
  decoding.input(first, 32);
  facts.has_count = last > first + 1;
  if (facts.has_count) {
    decoding.input(first + 1, 32);
  } else {
    decoding.constant_input(0, 32);
  }
  if (!facts.waits && !facts.has_count) decoding.fail("an arrive needs a thread count");
  if (reduces) decoding.input(last, 1);
  return execute_barrier;
}

/// Memory is always in order here: all that a fence changes is what may be relied on.
void execute_fence(Warp& warp, const Step&) {
  if (warp.block().checks_races()) warp.block().races().fence(warp);
}

Execute decode_fence(Decoding& decoding) {
  if (decoding.take("proxy")) return decode_proxy_fence(decoding);
  // .mbarrier_init too: it may stand before a relaxed arrival at the cluster's barrier.
  for (const std::string_view modifier : std::vector(decoding.rest())) decoding.take(modifier);
  return execute_fence;
}

}  // namespace

void add_barrier_instructions(InstructionTable& table) {
  table["bar"] = {decode_barrier, StepClass::synchronization};
  table["barrier"] = {decode_barrier, StepClass::synchronization};
  table["membar"] = {decode_fence, StepClass::synchronization};
  table["fence"] = {decode_fence, StepClass::synchronization};
}

}  // namespace lathe::runtime::ptx
