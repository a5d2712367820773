// cp.async: copies from global to shared memory that the thread waits for later.
#include <array>
#include <bit>

#include <fmt/format.h>

#include "runtime/ptx/async_copies.h"
#include "runtime/ptx/block.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/launch.h"
#include "runtime/ptx/memory_access.h"
#include "runtime/ptx/profile.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

/// What the third input says of the source.
enum class SourceLimit : std::uint8_t { none, size, is_ignored };

struct CopyFacts : Facts {
  std::uint32_t bytes = 16;
  std::int64_t destination_offset = 0;
  SourceLimit limit = SourceLimit::none;
};

/// How many bytes each lane reads; after a fault false.
bool source_sizes(Warp& warp, const Step& step, const CopyFacts& facts,
                  std::array<std::uint32_t, kLanes>& sizes) {
  sizes.fill(facts.bytes);
  if (facts.limit == SourceLimit::none) return true;
  const Slot limit = step.input(2);
  const LaneMask undefined = warp.block().checks_definedness() ? warp.active() & ~warp.defined(limit) : 0;
  if (undefined != 0) {
    warp.fault(FaultKind::uninitialized, "how much is copied depends on it",
               static_cast<unsigned>(std::countr_zero(undefined)));
    return false;
  }
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    const std::uint64_t given = warp.value(limit, lane);
    if (facts.limit == SourceLimit::is_ignored) {
      if (given != 0) sizes[lane] = 0;
    } else if (given > facts.bytes) {
      warp.fault(FaultKind::illegal,
                 fmt::format("the source has {} bytes, more than the {} of the copy", given, facts.bytes),
                 lane);
      return false;
    } else {
      sizes[lane] = static_cast<std::uint32_t>(given);
    }
  }
  return true;
}

/// Of a source that is not read only the alignment counts.
bool locate_source(Warp& warp, const Step& step, unsigned lane, unsigned alignment, unsigned bytes,
                   Place& place) {
  const std::uint64_t address = address_of(warp, step, step.input(1), lane);
  if (bytes == 0 && address % alignment == 0) return true;
  const Access access{
      .kind = AccessKind::read, .bytes = bytes, .alignment = alignment, .space = Space::global};
  return locate(warp, lane, address, access, place) && check_defined(warp, lane, place, bytes);
}

/// What a warp's copies read of global memory: those of the same size are one access.
void count_reads(Warp& warp, const std::array<std::uint32_t, kLanes>& sizes,
                 const std::array<Place, kLanes>& from) {
  Profile* profile = warp.block().launch().profile;
  if (profile == nullptr) return;
  for (LaneMask left = warp.active(); left != 0;) {
    const std::uint32_t bytes = sizes[static_cast<unsigned>(std::countr_zero(left))];
    LaneMask alike = 0;
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      if ((left >> lane & 1U) != 0 && sizes[lane] == bytes) alike |= LaneMask{1} << lane;
    }
    left &= ~alike;
    if (bytes != 0) profile->count({.kind = AccessKind::read, .bytes = bytes, .alignment = 1}, alike, from);
  }
}

/// Inputs: destination, source, what limits the source, cache policy.
void execute_copy(Warp& warp, const Step& step) {
  const auto& facts = static_cast<const CopyFacts&>(*step.facts);
  std::array<Place, kLanes> to;
  std::array<Place, kLanes> from;
  std::array<std::uint32_t, kLanes> sizes;
  const Access written{
      .kind = AccessKind::write, .bytes = facts.bytes, .alignment = facts.bytes, .space = Space::shared};
  if (!locate_lanes(warp, step.input(0), facts.destination_offset, written, warp.active(), to)) return;
  if (!are_addresses_defined(warp, step.input(1), warp.active())) return;
  if (!source_sizes(warp, step, facts, sizes)) return;
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    if (!locate_source(warp, step, lane, facts.bytes, sizes[lane], from[lane])) return;
    warp.async_copies.issue(lane, {.to = to[lane],
                                   .from = from[lane],
                                   .bytes = facts.bytes,
                                   .source_bytes = sizes[lane],
                                   .instruction = step.instruction});
  }
  count_reads(warp, sizes, from);
}

void execute_commit(Warp& warp, const Step&) {
  for (LaneMask left = warp.active(); left != 0; left &= left - 1)
    warp.async_copies.commit(static_cast<unsigned>(std::countr_zero(left)));
}

/// number: how many groups may stay.
void execute_wait(Warp& warp, const Step& step) {
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    if (!complete_copies(warp, lane, warp.async_copies.due(lane, step.number).size())) return;
  }
}

/// Waits for copies of the open group, too.
void execute_wait_all(Warp& warp, const Step&) {
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    if (!complete_copies(warp, lane, warp.async_copies.pending(lane).size())) return;
  }
}

Execute refuse(Decoding& decoding, std::string message) {
  decoding.fail(std::move(message));
  return nullptr;
}

Execute decode_wait_group(Decoding& decoding) {
  const std::int64_t kept = decoding.immediate(0);
  if (kept < 0) return refuse(decoding, "the number of groups is negative");
  decoding.step.number = static_cast<std::uint64_t>(kept);
  return execute_wait;
}

bool is_predicate(Decoding& decoding, const Operand& operand) {
  return operand.kind == Operand::Kind::reg &&
         decoding.function().registers[operand.index].type == Type::pred;
}

/// Behind the size of the copy: `, src-size` or `, ignore-src`, then `, cache-policy`.
void take_optional_operands(Decoding& decoding, CopyFacts& facts, bool has_policy) {
  const std::size_t end = decoding.operands() - (has_policy ? 1 : 0);
  if (end == 4 && is_predicate(decoding, decoding.operand(3))) {
    facts.limit = SourceLimit::is_ignored;
    decoding.input(3, 1);
  } else if (end == 4) {
    facts.limit = SourceLimit::size;
    decoding.input(3, 32);
  } else if (end != 3) {
    decoding.fail("the operands are destination, source, size and, if wanted, source size and cache policy");
  }
  if (has_policy && end >= 3) decoding.input(end, 64);
}

Execute decode_copy_of_thread(Decoding& decoding) {
  auto& facts = decoding.add_facts<CopyFacts>();
  const std::string_view cache = decoding.take_any({"ca", "cg"});
  if (cache.empty()) return refuse(decoding, ".ca or .cg is missing");
  const auto& rest = decoding.rest();
  const bool is_in_order = rest.size() >= 2 && rest[1] == "global";
  if (!is_in_order || decoding.take_any({"shared", "shared::cta"}).empty())
    return refuse(decoding, "the copy goes from .global to .shared");
  decoding.take("global");
  const bool has_policy = decoding.take("L2::cache_hint");
  decoding.take_any({"L2::64B", "L2::128B", "L2::256B"});
  decoding.address_input(decoding.operand(0), Space::shared);
  facts.destination_offset = decoding.step.offset;
  if (decoding.step.space != Space::shared) return refuse(decoding, "the destination is not in .shared");
  decoding.address_input(decoding.operand(1), Space::global);
  if (decoding.step.space != Space::global) return refuse(decoding, "the source is not in .global");
  const std::int64_t bytes = decoding.immediate(2);
  const bool is_size = bytes == 16 || (cache == "ca" && (bytes == 4 || bytes == 8));
  if (!is_size) return refuse(decoding, "the size is 4, 8 or 16 with .ca and 16 with .cg");
  facts.bytes = static_cast<std::uint32_t>(bytes);
  take_optional_operands(decoding, facts, has_policy);
  decoding.step.tracks_definedness_itself = true;
  return execute_copy;
}

Execute decode_copy(Decoding& decoding) {
  const bool reduces = decoding.take("reduce");
  if (!decoding.take("async")) return refuse(decoding, "cp is known as cp.async");
  if (decoding.take("bulk")) return reduces ? decode_bulk_reduction(decoding) : decode_bulk_copy(decoding);
  if (reduces) return refuse(decoding, "cp.reduce is known as cp.reduce.async.bulk");
  if (decoding.take("mbarrier")) return decode_copy_arrival(decoding);
  if (decoding.take("commit_group")) return execute_commit;
  if (decoding.take("wait_group")) return decode_wait_group(decoding);
  if (decoding.take("wait_all")) return execute_wait_all;
  return decode_copy_of_thread(decoding);
}

}  // namespace

void add_copy_instructions(InstructionTable& table) {
  table["cp"] = {decode_copy, StepClass::memory};
}

}  // namespace lathe::runtime::ptx
