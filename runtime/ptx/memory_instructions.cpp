// ld, st, and hints about memory.
#include <array>
#include <bit>
#include <cstring>

#include "runtime/ptx/access_modifiers.h"
#include "runtime/ptx/block.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/lane_agreement.h"
#include "runtime/ptx/memory_access.h"
#include "runtime/ptx/memory_run.h"
#include "runtime/ptx/races.h"
#include "runtime/ptx/strong_access.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

struct AccessFacts : Facts {
  Elements elements;
  bool is_signed = false;
  Ordering ordering = Ordering::weak;

  Access access(AccessKind kind, Space space) const {
    const unsigned bytes = elements.count * elements.bytes;
    return {.kind = kind, .bytes = bytes, .alignment = bytes, .space = space, .ordering = ordering};
  }
  bool is_strong() const { return ordering != Ordering::weak; }
  /// One element.
  std::uint64_t load(std::byte* at) const {
    if (is_strong()) return load_strong(at, elements.bytes);
    std::uint64_t value = 0;
    std::memcpy(&value, at, elements.bytes);
    return value;
  }
  void store(std::byte* at, std::uint64_t value) const {
    if (is_strong()) return store_strong(at, elements.bytes, value);
    std::memcpy(at, &value, elements.bytes);
  }
};

std::uint64_t extended(std::uint64_t value, unsigned bytes, bool is_signed) {
  if (!is_signed || bytes == 8) return value;
  const unsigned shift = 64 - 8 * bytes;
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(value << shift) >> shift);
}

/// What a load finds undefined in memory of its own is passed on, since compilers load more than they use;
/// elsewhere it is an error.
bool note_definedness(Warp& warp, unsigned lane, const Place& place, unsigned bytes, LaneMask& defined) {
  if (place.space != Space::local) return check_defined(warp, lane, place, bytes);
  if (place.shadow != nullptr && !place.shadow->is_defined(place.offset, bytes))
    defined &= ~(LaneMask{1} << lane);
  return true;
}

/// Whether anybody wants to know of each access by lane.
bool is_watched(Warp& warp) {
  return warp.block().checks_races() || warp.block().launch().profile != nullptr;
}

/// Where a run is that can be copied at once.
std::optional<Place> run_to_copy(Warp& warp, const Step& step, const AccessFacts& facts, const Access& access,
                                 std::span<const Slot> registers) {
  if (facts.is_strong() || is_watched(warp) || !facts.elements.fill(registers)) return std::nullopt;
  return locate_run(warp, step.input(0), step.offset, access);
}

/// False: nothing was done.
bool load_at_once(Warp& warp, const Step& step, const AccessFacts& facts, const Access& access) {
  const std::span<const Slot> registers(step.slots, step.outputs);
  const auto run = run_to_copy(warp, step, facts, access, registers);
  if (!run || (run->shadow != nullptr && !run->shadow->is_defined(run->offset, kLanes * access.bytes)))
    return false;
  load_run(warp, registers, facts.elements, run->bytes);
  for (const Slot& each : registers) warp.set_defined(each, kAllLanes);
  return true;
}

bool store_at_once(Warp& warp, const Step& step, const AccessFacts& facts, const Access& access) {
  const std::span<const Slot> registers(step.slots + 1, facts.elements.count);
  const auto run = run_to_copy(warp, step, facts, access, registers);
  if (!run) return false;
  if (warp.block().checks_definedness()) {
    for (const Slot& each : registers) {
      if (warp.defined(each) != kAllLanes) return false;
    }
  }
  if (run->shadow != nullptr) run->shadow->define(run->offset, kLanes * access.bytes);
  store_run(warp, registers, facts.elements, run->bytes);
  return true;
}

void execute_load(Warp& warp, const Step& step) {
  const auto& facts = static_cast<const AccessFacts&>(*step.facts);
  const Access access = facts.access(AccessKind::read, step.space);
  if (load_at_once(warp, step, facts, access)) return;
  std::array<Place, kLanes> places;
  if (!locate_all(warp, step, step.input(0), access, places)) return;
  LaneMask defined = kAllLanes;
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    if (!note_definedness(warp, lane, places[lane], access.bytes, defined)) return;
    for (unsigned i = 0; i < facts.elements.count; ++i) {
      const std::uint64_t value = facts.load(places[lane].bytes + i * facts.elements.bytes);
      warp.set_value(step.output(i), lane, extended(value, facts.elements.bytes, facts.is_signed));
    }
  }
  if (warp.block().checks_races() && facts.is_strong()) warp.block().races().observe(warp, access, places);
  if (!warp.block().checks_definedness()) return;
  for (unsigned i = 0; i < facts.elements.count; ++i) warp.set_defined(step.output(i), defined);
}

/// Undefined values may be kept, but not handed out.
bool store_definedness(Warp& warp, const Step& step, unsigned lane, const Place& place,
                       const AccessFacts& facts) {
  for (unsigned i = 0; i < facts.elements.count; ++i) {
    const std::size_t offset = place.offset + std::size_t{i} * facts.elements.bytes;
    if ((warp.defined(step.input(1 + i)) >> lane & 1) != 0) {
      if (place.shadow != nullptr) place.shadow->define(offset, facts.elements.bytes);
    } else if (place.space == Space::global) {
      warp.fault(FaultKind::uninitialized, "it is stored to global memory", lane);
      return false;
    } else if (place.shadow != nullptr) {
      place.shadow->undefine(offset, facts.elements.bytes);
    }
  }
  return true;
}

void execute_store(Warp& warp, const Step& step) {
  const auto& facts = static_cast<const AccessFacts&>(*step.facts);
  const Access access = facts.access(AccessKind::write, step.space);
  if (store_at_once(warp, step, facts, access)) return;
  std::array<Place, kLanes> places;
  if (!locate_all(warp, step, step.input(0), access, places)) return;
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    if (warp.block().checks_definedness() && !store_definedness(warp, step, lane, places[lane], facts))
      return;
    for (unsigned i = 0; i < facts.elements.count; ++i) {
      const std::uint64_t value = warp.value(step.input(1 + i), lane);
      facts.store(places[lane].bytes + i * facts.elements.bytes, value);
    }
  }
  if (warp.block().checks_races() && !facts.is_strong())
    check_lanes_agree(warp, step, facts.elements.count, facts.elements.bytes, places);
}

/// What ld and st have in common: everything but operands.
AccessFacts& take_access(Decoding& decoding) {
  auto& facts = decoding.add_facts<AccessFacts>();
  facts.ordering = take_ordering(decoding);
  decoding.step.space = take_space(decoding);
  take_cache_hints(decoding);
  const unsigned count = take_vector(decoding);
  const Type type = decoding.take_type();
  facts.elements = {.count = count, .bytes = bytes_of(type)};
  facts.is_signed = is_signed(type);
  if (type == Type::pred || facts.elements.bytes > 8) decoding.fail("this type cannot be loaded or stored");
  if (facts.elements.count * facts.elements.bytes > 32) decoding.fail("an access has at most 32 bytes");
  decoding.step.tracks_definedness_itself = true;
  return facts;
}

Execute decode_load(Decoding& decoding) {
  const AccessFacts& facts = take_access(decoding);
  const auto elements = Decoding::elements_of(decoding.operand(0));
  if (elements.size() != facts.elements.count) decoding.fail("the vector has another number of registers");
  for (const Operand* element : elements) decoding.wide_output(*element, facts.elements.bytes * 8);
  decoding.address_input(decoding.operand(1), decoding.step.space);
  return execute_load;
}

Execute decode_store(Decoding& decoding) {
  if (decoding.take("async")) return decode_async_store(decoding);
  const AccessFacts& facts = take_access(decoding);
  decoding.address_input(decoding.operand(0), decoding.step.space);
  const auto elements = Decoding::elements_of(decoding.operand(1));
  if (elements.size() != facts.elements.count) decoding.fail("the vector has another number of registers");
  for (const Operand* element : elements) decoding.wide_input(*element, facts.elements.bytes * 8);
  return execute_store;
}

/// prefetch, discard and the like change no result.
Execute decode_hint(Decoding& decoding) {
  if (decoding.take("tensormap")) return decode_tensor_map_prefetch(decoding);
  for (const std::string_view modifier : std::vector(decoding.rest())) decoding.take(modifier);
  return [](Warp&, const Step&) {};
}

/// A cache policy is a number that only hints use.
Execute decode_create_policy(Decoding& decoding) {
  for (const std::string_view modifier : std::vector(decoding.rest())) decoding.take(modifier);
  decoding.output(0, 64);
  return [](Warp& warp, const Step& step) {
    for (unsigned lane = 0; lane < kLanes; ++lane) warp.lanes<std::uint64_t>(step.output(0))[lane] = 0;
  };
}

}  // namespace

void add_memory_instructions(InstructionTable& table) {
  table["ld"] = {decode_load, StepClass::memory};
  table["ldu"] = {decode_load, StepClass::memory};
  table["st"] = {decode_store, StepClass::memory};
  for (const std::string_view hint : {"prefetch", "prefetchu", "discard", "applypriority"})
    table[hint] = {decode_hint, StepClass::memory};
  table["createpolicy"] = {decode_create_policy, StepClass::memory};
}

}  // namespace lathe::runtime::ptx
