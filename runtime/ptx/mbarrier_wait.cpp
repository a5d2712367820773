#include "runtime/ptx/mbarrier_wait.h"

#include <array>
#include <bit>

#include <fmt/format.h>

#include "runtime/ptx/block.h"
#include "runtime/ptx/mbarrier_objects.h"
#include "runtime/ptx/memory_access.h"
#include "runtime/ptx/races.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

struct WaitFacts : Facts {
  Ordering ordering = Ordering::acquire;
  bool is_parity = false;
};

/// What the operand says; after a fault false.
bool read_phase(Warp& warp, unsigned lane, const Mbarrier& mbarrier, std::uint64_t operand,
                const Place& place, AwaitedPhase& phase) {
  if (phase.is_parity) {
    phase.number = operand;
    return operand <= 1 || check_rule(warp, lane, fmt::format("the parity is {}", operand), place);
  }
  phase.number = Mbarrier::phase_of(operand);
  const bool is_known = phase.number == mbarrier.phase() || phase.number + 1 == mbarrier.phase();
  return is_known || check_rule(warp, lane,
                                fmt::format("the state is of phase {}, neither the present one nor the last",
                                            phase.number),
                                place);
}

/// Whether the lane need not wait any longer; after a fault false too.
bool is_over(Warp& warp, unsigned lane, const Place& place, std::uint64_t operand, AwaitedPhase& phase) {
  MbarrierObject* object = live_mbarrier(warp, lane, place);
  if (object == nullptr) return false;
  if (place.block != &warp.block())
    return check_rule(warp, lane, "another block's mbarrier cannot be waited for", place);
  if (!read_phase(warp, lane, object->state, operand, place, phase)) return false;
  if (phase.is_over(object->state)) return true;
  return perform_pending(place, *object, phase) && phase.is_over(object->state);
}

/// Output: whether the phase is over. Inputs: address, state or parity.
void execute_wait(Warp& warp, const Step& step) {
  const auto& facts = static_cast<const WaitFacts&>(*step.facts);
  if (!are_defined(warp, step.input(1), warp.active(), "it says which phase of an mbarrier is waited for"))
    return;
  const Access access{
      .kind = AccessKind::read, .bytes = 8, .alignment = 8, .space = step.space, .ordering = facts.ordering};
  std::array<Place, kLanes> places;
  if (!locate_all(warp, step, step.input(0), access, places)) return;
  LaneMask over = 0;
  std::size_t offset = 0;
  AwaitedPhase phase{.number = 0, .is_parity = facts.is_parity};
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    AwaitedPhase wanted = phase;
    const bool is_done = is_over(warp, lane, places[lane], warp.value(step.input(1), lane), wanted);
    if (warp.block().has_failed()) return;
    if (is_done) {
      over |= LaneMask{1} << lane;
    } else {
      phase = wanted;
      offset = places[lane].offset;
      places[lane].space = Space::generic;  // it acquires nothing
    }
  }
  warp.set_mask(step.output(0), over);
  warp.set_defined(step.output(0), kAllLanes);
  if (over != 0 && warp.block().checks_races()) warp.block().races().observe(warp, access, places);
  warp.note_wait(warp.active() & ~over, offset, phase);
}

}  // namespace

Execute decode_mbarrier_wait(Decoding& decoding, bool may_suspend) {
  auto& facts = decoding.add_facts<WaitFacts>();
  facts.is_parity = decoding.take("parity");
  if (!decoding.take("acquire") && decoding.take("relaxed")) facts.ordering = Ordering::relaxed;
  decoding.take_any({"cta", "cluster"});
  const Space space = take_mbarrier_space(decoding);
  if (space == Space::shared_cluster) decoding.fail("another block's mbarrier cannot be waited for");
  decoding.output(0, 1);
  decoding.address_input(decoding.operand(1), space);
  decoding.input(2, facts.is_parity ? 32 : 64);
  if (decoding.operands() > 3) {
    if (!may_suspend) decoding.fail("test_wait has no time limit");
    decoding.input(3, 32);
  }
  decoding.step.tracks_definedness_itself = true;
  return execute_wait;
}

}  // namespace lathe::runtime::ptx
