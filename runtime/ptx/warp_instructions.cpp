// Instructions by which the lanes of a warp talk to each other: shfl, vote, match, redux, elect, activemask.
#include <algorithm>
#include <bit>
#include <optional>

#include <fmt/format.h>

#include "runtime/ptx/block.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/warp.h"
#include "runtime/ptx/warp_members.h"

namespace lathe::runtime::ptx {

namespace {

bool has(LaneMask mask, unsigned lane) {
  return (mask >> lane & 1) != 0;
}

// ---- shfl

enum class ShuffleMode : std::uint64_t { up, down, butterfly, indexed };

struct ShuffleSource {
  unsigned lane = 0;
  bool is_in_range = false;
};

/// `clamp`: the segment's mask in bits 8 to 12, the last lane that may be read in bits 0 to 4.
ShuffleSource shuffle_source(ShuffleMode mode, unsigned lane, std::uint32_t b, std::uint32_t clamp) {
  const unsigned by = b & 31;
  const unsigned segment = clamp >> 8 & 31;
  const unsigned last = (lane & segment) | (clamp & 31 & ~segment);
  const unsigned first = lane & segment;
  int from = 0;
  bool is_in_range = false;
  switch (mode) {
    case ShuffleMode::up:
      from = static_cast<int>(lane) - static_cast<int>(by);
      is_in_range = from >= static_cast<int>(last);
      break;
    case ShuffleMode::down:
      from = static_cast<int>(lane + by);
      is_in_range = from <= static_cast<int>(last);
      break;
    case ShuffleMode::butterfly:
      from = static_cast<int>(lane ^ by);
      is_in_range = from <= static_cast<int>(last);
      break;
    case ShuffleMode::indexed:
      from = static_cast<int>(first | (by & ~segment));
      is_in_range = from <= static_cast<int>(last);
      break;
  }
  return {is_in_range ? static_cast<unsigned>(from) : lane, is_in_range};
}

/// Outputs: value, predicate. Inputs: value, lane or distance, clamp, members.
void execute_shuffle(Warp& warp, const Step& step) {
  const bool is_together = members_are_together(warp, step, step.input(3));
  if (!is_together) return;
  const auto mode = static_cast<ShuffleMode>(step.number);
  const auto* given = warp.lanes<std::uint32_t>(step.input(0));
  const auto* distance = warp.lanes<std::uint32_t>(step.input(1));
  const auto* clamp = warp.lanes<std::uint32_t>(step.input(2));
  const LaneMask defined = warp.defined(step.input(0));
  std::uint32_t values[kLanes];
  std::copy(given, given + kLanes, values);  // the destination may be the source
  auto* out = warp.lanes<std::uint32_t>(step.output(0));
  LaneMask in_range = 0;
  LaneMask result_defined = 0;
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    if (!has(warp.active(), lane)) continue;
    const ShuffleSource source = shuffle_source(mode, lane, distance[lane], clamp[lane]);
    out[lane] = values[source.lane];
    in_range |= LaneMask{source.is_in_range} << lane;
    // What a lane that does not take part has is not said.
    const bool is_known = has(warp.active(), source.lane) && has(defined, source.lane);
    result_defined |= LaneMask{is_known} << lane;
  }
  warp.set_mask(step.output(1), in_range);
  warp.set_defined(step.output(0), result_defined);
  warp.set_defined(step.output(1), kAllLanes);
}

Execute decode_shuffle(Decoding& decoding) {
  if (!decoding.take("sync")) decoding.fail("shfl without .sync is not run");
  decoding.take("b32");
  constexpr std::string_view kModes[] = {"up", "down", "bfly", "idx"};
  std::optional<std::uint64_t> mode;
  for (std::uint64_t i = 0; i < 4; ++i) {
    if (decoding.take(kModes[i])) mode = i;
  }
  if (!mode) decoding.fail("a mode is missing");
  decoding.step.number = mode.value_or(0);
  decoding.step.tracks_definedness_itself = true;
  const auto outputs = Decoding::elements_of(decoding.operand(0));
  decoding.output(*outputs[0], 32);
  decoding.output(outputs.size() > 1 ? *outputs[1] : Operand{}, 1);
  for (std::size_t i = 1; i < 5; ++i) decoding.input(i, 32);
  return execute_shuffle;
}

// ---- vote and activemask

enum class Vote : std::uint64_t { all, any, uni, ballot };

/// Inputs: predicate, members.
void execute_vote(Warp& warp, const Step& step) {
  if (!members_are_together(warp, step, step.input(1))) return;
  const auto* members = warp.lanes<std::uint32_t>(step.input(1));
  const LaneMask given = warp.mask(step.input(0));
  LaneMask result = 0;
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    if (!has(warp.active(), lane)) continue;
    const LaneMask voters = warp.active() & members[lane];
    const LaneMask votes = given & voters;
    const auto vote = static_cast<Vote>(step.number);
    if (vote == Vote::ballot) {
      warp.lanes<std::uint32_t>(step.output(0))[lane] = votes;
      continue;
    }
    const bool all = votes == voters;
    const bool any = votes != 0;
    const bool is_true = vote == Vote::all ? all : vote == Vote::any ? any : all || !any;
    result |= LaneMask{is_true} << lane;
  }
  if (static_cast<Vote>(step.number) != Vote::ballot) warp.set_mask(step.output(0), result);
}

Execute decode_vote(Decoding& decoding) {
  if (!decoding.take("sync")) decoding.fail("vote without .sync is not run");
  constexpr std::string_view kModes[] = {"all", "any", "uni", "ballot"};
  std::optional<std::uint64_t> mode;
  for (std::uint64_t i = 0; i < 4; ++i) {
    if (decoding.take(kModes[i])) mode = i;
  }
  if (!mode) decoding.fail("a mode is missing");
  decoding.step.number = mode.value_or(0);
  decoding.take_type();
  decoding.output(0, mode == 3 ? 32 : 1);
  decoding.input(1, 1);
  decoding.input(2, 32);
  return execute_vote;
}

Execute decode_active_mask(Decoding& decoding) {
  decoding.take_type();
  decoding.output(0, 32);
  return [](Warp& warp, const Step& step) {
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      if (has(warp.active(), lane)) warp.lanes<std::uint32_t>(step.output(0))[lane] = warp.active();
    }
  };
}

// ---- match and elect

/// Outputs: mask, predicate. Inputs: value, members. number: 1 for match.all.
void execute_match(Warp& warp, const Step& step) {
  if (!members_are_together(warp, step, step.input(1))) return;
  const auto* members = warp.lanes<std::uint32_t>(step.input(1));
  LaneMask all_same = 0;
  std::uint32_t masks[kLanes] = {};
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    if (!has(warp.active(), lane)) continue;
    const LaneMask peers = warp.active() & members[lane];
    for (unsigned other = 0; other < kLanes; ++other) {
      if (has(peers, other) && warp.value(step.input(0), other) == warp.value(step.input(0), lane))
        masks[lane] |= LaneMask{1} << other;
    }
    if (masks[lane] == peers) {
      all_same |= LaneMask{1} << lane;
    } else if (step.number == 1) {
      masks[lane] = 0;
    }
  }
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    if (has(warp.active(), lane)) warp.lanes<std::uint32_t>(step.output(0))[lane] = masks[lane];
  }
  warp.set_mask(step.output(1), all_same);
}

Execute decode_match(Decoding& decoding) {
  decoding.take("sync");
  const std::string_view mode = decoding.take_any({"any", "all"});
  if (mode.empty()) decoding.fail("any or all is expected");
  decoding.step.number = mode == "all" ? 1 : 0;
  const unsigned bits = bits_of(decoding.take_type());
  const auto outputs = Decoding::elements_of(decoding.operand(0));
  decoding.output(*outputs[0], 32);
  decoding.output(outputs.size() > 1 ? *outputs[1] : Operand{}, 1);
  decoding.input(1, bits);
  decoding.input(2, 32);
  return execute_match;
}

/// Outputs: the lane elected, predicate. Input: members.
void execute_elect(Warp& warp, const Step& step) {
  if (!members_are_together(warp, step, step.input(0))) return;
  const auto* members = warp.lanes<std::uint32_t>(step.input(0));
  LaneMask elected = 0;
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    if (!has(warp.active(), lane)) continue;
    const auto leader = static_cast<unsigned>(std::countr_zero(members[lane] & warp.active()));
    warp.lanes<std::uint32_t>(step.output(0))[lane] = leader;
    elected |= LaneMask{leader == lane} << lane;
  }
  warp.set_mask(step.output(1), elected);
}

Execute decode_elect(Decoding& decoding) {
  if (!decoding.take("sync")) decoding.fail("elect is known as elect.sync");
  const auto outputs = Decoding::elements_of(decoding.operand(0));
  decoding.output(*outputs[0], 32);
  decoding.output(outputs.size() > 1 ? *outputs[1] : Operand{}, 1);
  decoding.input(1, 32);
  return execute_elect;
}

}  // namespace

void add_vote_instructions(InstructionTable& table) {
  table["shfl"] = {decode_shuffle, StepClass::synchronization};
  table["vote"] = {decode_vote, StepClass::synchronization};
  table["activemask"] = {decode_active_mask, StepClass::synchronization};
  table["match"] = {decode_match, StepClass::synchronization};
  table["elect"] = {decode_elect, StepClass::synchronization};
}

}  // namespace lathe::runtime::ptx
