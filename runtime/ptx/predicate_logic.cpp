#include "runtime/ptx/predicate_logic.h"

#include "runtime/ptx/elementwise_decoding.h"

namespace lathe::runtime::ptx {

namespace {

template <Logic kLogic>
void execute_logic(Warp& warp, const Step& step) {
  write_mask(warp, step.output(0),
             combine(kLogic, read_mask(warp, step.input(0)), read_mask(warp, step.input(1))));
}

void execute_not(Warp& warp, const Step& step) {
  write_mask(warp, step.output(0), ~read_mask(warp, step.input(0)));
}

}  // namespace

std::optional<Logic> take_logic(Decoding& d) {
  if (d.take("and")) return Logic::conjunction;
  if (d.take("or")) return Logic::disjunction;
  if (d.take("xor")) return Logic::exclusive;
  return std::nullopt;
}

KnownMask combine(Logic logic, KnownMask a, KnownMask b) {
  const LaneMask both = a.defined & b.defined;
  if (logic == Logic::conjunction)
    return {a.value & b.value, both | (a.defined & ~a.value) | (b.defined & ~b.value)};
  if (logic == Logic::disjunction)
    return {a.value | b.value, both | (a.defined & a.value) | (b.defined & b.value)};
  return {a.value ^ b.value, both};
}

Execute decode_predicate_logic(Decoding& d, Logic logic) {
  if (!expect_operands(d, 3)) return nullptr;
  d.output(0, 1);
  d.input(1, 1);
  d.input(2, 1);
  d.step.tracks_definedness_itself = true;
  if (logic == Logic::conjunction) return execute_logic<Logic::conjunction>;
  return logic == Logic::disjunction ? execute_logic<Logic::disjunction> : execute_logic<Logic::exclusive>;
}

Execute decode_predicate_not(Decoding& d) {
  if (!expect_operands(d, 2)) return nullptr;
  d.output(0, 1);
  d.input(1, 1);
  d.step.tracks_definedness_itself = true;
  return execute_not;
}

}  // namespace lathe::runtime::ptx
