// mbarrier: making mbarriers, arriving at them, and what is told of bytes; cp.async.mbarrier.arrive.
#include <array>
#include <bit>
#include <string_view>
#include <vector>

#include "runtime/ptx/access_modifiers.h"
#include "runtime/ptx/address_operand.h"
#include "runtime/ptx/block.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/lanes.h"
#include "runtime/ptx/mbarrier_objects.h"
#include "runtime/ptx/mbarrier_wait.h"
#include "runtime/ptx/memory_access.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

Access whole_mbarrier(AccessKind kind, Space space, Ordering ordering) {
  return {.kind = kind, .bytes = 8, .alignment = 8, .space = space, .ordering = ordering};
}

/// function(lane, place) for each active lane, until it returns false.
template <class Function>
void for_each_place(Warp& warp, const Step& step, const Access& access, Function function) {
  std::array<Place, kLanes> places;
  if (!locate_all(warp, step, step.input(0), access, places)) return;
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    if (!function(lane, places[lane])) return;
  }
}

/// Inputs: address, count.
void execute_init(Warp& warp, const Step& step) {
  if (!are_defined(warp, step.input(1), warp.active(), "it is the count of an mbarrier")) return;
  const Access access = whole_mbarrier(AccessKind::write, step.space, Ordering::weak);
  for_each_place(warp, step, access, [&](unsigned lane, const Place& place) {
    return add_mbarrier(warp, lane, place, warp.value(step.input(1), lane));
  });
}

/// Input: address.
void execute_invalidate(Warp& warp, const Step& step) {
  const Access access = whole_mbarrier(AccessKind::write, step.space, Ordering::weak);
  for_each_place(warp, step, access,
                 [&](unsigned lane, const Place& place) { return remove_mbarrier(warp, lane, place); });
}

using ByteRule = std::string_view (Mbarrier::*)(std::uint64_t);

/// Inputs: address, bytes.
template <ByteRule kRule>
void execute_bytes(Warp& warp, const Step& step) {
  if (!are_defined(warp, step.input(1), warp.active(), "it is the byte count of an mbarrier")) return;
  const Access access = whole_mbarrier(AccessKind::atomic, step.space, Ordering::relaxed);
  for_each_place(warp, step, access, [&](unsigned lane, const Place& place) {
    MbarrierObject* object = live_mbarrier(warp, lane, place);
    return object != nullptr &&
           check_rule(warp, lane, (object->state.*kRule)(warp.value(step.input(1), lane)), place);
  });
}

struct ArrivalFacts : Facts {
  Ordering ordering = Ordering::release;
  bool drops = false;
  bool expects_bytes = false;  ///< input 1 is not the count, which is 1
  bool may_complete = true;
  bool has_state = true;
};

bool arrive(Warp& warp, unsigned lane, const ArrivalFacts& facts, std::uint64_t number, const Place& place,
            std::uint64_t& state) {
  MbarrierObject* object = live_mbarrier(warp, lane, place);
  if (object == nullptr) return false;
  Mbarrier& mbarrier = object->state;
  if (facts.has_state && place.block != &warp.block())
    return check_rule(warp, lane, "the state of another block's mbarrier is not to be had", place);
  if (!facts.may_complete && mbarrier.is_last(number))
    return check_rule(warp, lane, "an arrival with .noComplete completes the phase", place);
  state = mbarrier.token();
  if (facts.expects_bytes && !check_rule(warp, lane, mbarrier.expect_bytes(number), place)) return false;
  const std::uint64_t count = facts.expects_bytes ? 1 : number;
  return check_rule(warp, lane, facts.drops ? mbarrier.arrive_and_drop(count) : mbarrier.arrive(count),
                    place);
}

/// Output: the state. Inputs: address, count or bytes.
void execute_arrive(Warp& warp, const Step& step) {
  const auto& facts = static_cast<const ArrivalFacts&>(*step.facts);
  const std::string_view what = facts.expects_bytes ? "it is the byte count of an mbarrier"
                                                    : "it is the count of an arrival at an mbarrier";
  if (!are_defined(warp, step.input(1), warp.active(), what)) return;
  const Access access = whole_mbarrier(AccessKind::atomic, step.space, facts.ordering);
  for_each_place(warp, step, access, [&](unsigned lane, const Place& place) {
    std::uint64_t state = 0;
    if (!arrive(warp, lane, facts, warp.value(step.input(1), lane), place, state)) return false;
    warp.set_value(step.output(0), lane, state);
    return true;
  });
  warp.set_defined(step.output(0), kAllLanes);
}

/// The arrival takes part in the phase whose completion it may help with, and is made when the thread's
/// cp.async so far are done. number: 1 if the phase is to expect it in addition. Input: address.
void execute_copy_arrival(Warp& warp, const Step& step) {
  const Access access = whole_mbarrier(AccessKind::atomic, step.space, Ordering::relaxed);
  for_each_place(warp, step, access, [&](unsigned lane, const Place& place) {
    MbarrierObject* object = live_mbarrier(warp, lane, place);
    if (object == nullptr) return false;
    if (step.number != 0 && !check_rule(warp, lane, object->state.expect_arrival(), place)) return false;
    warp.async_copies.track(lane);
    return issue({.issuer = {.warp = &warp, .lane = lane, .instruction = step.instruction},
                  .copies = warp.async_copies.issued(lane)},
                 place);
  });
}

std::uint32_t pending_count(std::uint64_t state) {
  return Mbarrier::arrivals_of(state);
}

Execute decode_init(Decoding& decoding) {
  decoding.address_input(decoding.operand(0), take_mbarrier_space(decoding));
  decoding.input(1, 32);
  return execute_init;
}

Execute decode_bytes(Decoding& decoding, Execute execute) {
  decoding.take("relaxed");
  decoding.take_any({"cta", "cluster"});
  decoding.address_input(decoding.operand(0), take_mbarrier_space(decoding));
  decoding.input(1, 32);
  return execute;
}

Execute decode_arrive(Decoding& decoding, bool drops) {
  auto& facts = decoding.add_facts<ArrivalFacts>();
  facts.drops = drops;
  facts.expects_bytes = decoding.take("expect_tx");
  facts.may_complete = !decoding.take("noComplete");
  if (!decoding.take("release") && decoding.take("relaxed")) facts.ordering = Ordering::relaxed;
  decoding.take_any({"cta", "cluster"});
  const Space space = take_mbarrier_space(decoding);
  facts.has_state = decoding.operand(0).kind != Operand::Kind::sink;
  if (facts.has_state && space == Space::shared_cluster)
    decoding.fail("with .shared::cluster there is no state: it is `_`");
  const bool has_number = decoding.operands() > 2;
  if (!has_number && (facts.expects_bytes || !facts.may_complete)) decoding.fail("the count is missing");
  if (facts.expects_bytes && !facts.may_complete)
    decoding.fail(".expect_tx and .noComplete exclude each other");
  decoding.output(0, 64);
  decoding.address_input(decoding.operand(1), space);
  if (has_number) {
    decoding.input(2, 32);
  } else {
    decoding.constant_input(1, 32);
  }
  decoding.step.tracks_definedness_itself = true;
  return execute_arrive;
}

Execute decode_mbarrier(Decoding& decoding) {
  decoding.take("b64");
  if (decoding.take("init")) return decode_init(decoding);
  if (decoding.take("inval")) {
    decoding.address_input(decoding.operand(0), take_mbarrier_space(decoding));
    return execute_invalidate;
  }
  if (decoding.take("test_wait")) return decode_mbarrier_wait(decoding, false);
  if (decoding.take("try_wait")) return decode_mbarrier_wait(decoding, true);
  if (decoding.take("arrive")) return decode_arrive(decoding, false);
  if (decoding.take("arrive_drop")) return decode_arrive(decoding, true);
  if (decoding.take("complete_tx")) return decode_bytes(decoding, execute_bytes<&Mbarrier::complete_bytes>);
  if (decoding.take("expect_tx")) return decode_bytes(decoding, execute_bytes<&Mbarrier::expect_bytes>);
  if (decoding.take("pending_count")) {
    decoding.output(0, 32);
    decoding.input(1, 64);
    return elementwise<pending_count>;
  }
  return nullptr;
}

}  // namespace

Space take_mbarrier_space(Decoding& decoding) {
  const Space space = take_space(decoding);
  if (space != Space::generic && !is_shared(space)) decoding.fail("an mbarrier lies in shared memory");
  return space;
}

Execute decode_copy_arrival(Decoding& decoding) {
  if (!decoding.take("arrive")) return nullptr;
  decoding.take("b64");
  decoding.step.number = decoding.take("noinc") ? 0 : 1;
  decoding.address_input(decoding.operand(0), take_mbarrier_space(decoding));
  return execute_copy_arrival;
}

void add_mbarrier_instructions(InstructionTable& table) {
  table["mbarrier"] = {decode_mbarrier, StepClass::synchronization};
}

}  // namespace lathe::runtime::ptx
