#include "runtime/ptx/warp.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "runtime/ptx/block.h"
#include "runtime/ptx/profile.h"

namespace lathe::runtime::ptx {

namespace {

constexpr std::uint32_t kNowhere = std::numeric_limits<std::uint32_t>::max();

template <class T>
void fill(T* lanes, std::uint64_t value) {
  std::fill(lanes, lanes + kLanes, static_cast<T>(value));
}

}  // namespace

Warp::Warp(const Program& program, Block& block, unsigned index, LaneMask lanes)
    : program_(&program),
      block_(&block),
      index_(index),
      frame_(new(std::align_val_t{64}) std::byte[program.frame_bytes]()),
      defined_(program.slot_ids, 0),
      groups_{{.at = 0, .lanes = lanes, .is_stalled = false, .ticket = {}, .returns = {}}},
      limit_(kNowhere),
      born_(lanes),
      live_(lanes) {
  fill_constants();
}

void Warp::fill_constants() {
  const auto set_all = [&](Slot slot, std::uint64_t number) {
    if (slot.bits == 1) *lanes<LaneMask>(slot) = static_cast<LaneMask>(number);
    if (slot.bits == 8) fill(lanes<std::uint8_t>(slot), number);
    if (slot.bits == 16) fill(lanes<std::uint16_t>(slot), number);
    if (slot.bits == 32) fill(lanes<std::uint32_t>(slot), number);
    if (slot.bits == 64) fill(lanes<std::uint64_t>(slot), number);
  };
  for (const auto& [slot, number] : program_->constants) set_all(slot, number);
  for (const auto& [special, slot] : program_->specials) {
    for (unsigned lane = 0; lane < kLanes; ++lane)
      set_value(slot, lane, block_->special(special, index_ * kLanes + lane));
  }
}

std::uint64_t Warp::value(Slot slot, unsigned lane) {
  switch (slot.bits) {
    case 1:
      return mask(slot) >> lane & 1;
    case 8:
      return lanes<std::uint8_t>(slot)[lane];
    case 16:
      return lanes<std::uint16_t>(slot)[lane];
    case 32:
      return lanes<std::uint32_t>(slot)[lane];
    default:
      return lanes<std::uint64_t>(slot)[lane];
  }
}

void Warp::set_value(Slot slot, unsigned lane, std::uint64_t value) {
  switch (slot.bits) {
    case 1: {
      LaneMask& mask = *lanes<LaneMask>(slot);
      mask = (mask & ~(LaneMask{1} << lane)) | static_cast<LaneMask>(value & 1) << lane;
      break;
    }
    case 8:
      lanes<std::uint8_t>(slot)[lane] = static_cast<std::uint8_t>(value);
      break;
    case 16:
      lanes<std::uint16_t>(slot)[lane] = static_cast<std::uint16_t>(value);
      break;
    case 32:
      lanes<std::uint32_t>(slot)[lane] = static_cast<std::uint32_t>(value);
      break;
    default:
      lanes<std::uint64_t>(slot)[lane] = value;
  }
}

// ---- what control instructions do

void Warp::jump(std::uint32_t step) {
  LaneGroup& here = group();
  const LaneMask rest = here.lanes & ~active_;
  if (groups_.size() > 1) has_diverged_ = true;  // others may be on the way
  if (rest != 0) {
    LaneGroup stays = here;
    stays.lanes = rest;
    stays.at = next_;
    here.lanes = active_;
    groups_.push_back(std::move(stays));
    has_diverged_ = true;
  }
  next_ = step;
}

void Warp::jump_each(const std::array<std::uint32_t, kLanes>& steps) {
  LaneMask left = active_;
  while (left != 0) {
    const std::uint32_t target = steps[static_cast<unsigned>(std::countr_zero(left))];
    LaneMask same = 0;
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      if ((left >> lane & 1) != 0 && steps[lane] == target) same |= LaneMask{1} << lane;
    }
    left &= ~same;
    if (left == 0) {  // the last ones are this group
      active_ = same;
      jump(target);
      return;
    }
    LaneGroup goes = group();
    goes.lanes = same;
    goes.at = target;
    groups_.push_back(std::move(goes));
    group().lanes &= ~same;
    has_diverged_ = true;
  }
}

void Warp::call(std::uint32_t step) {
  const std::uint32_t back = next_;
  jump(step);
  group().returns.push_back(back);
}

void Warp::return_or_exit() {
  if (group().returns.empty()) return exit();
  const std::uint32_t back = group().returns.back();
  jump(back);  // those that stay keep their stack
  group().returns.pop_back();
}

void Warp::exit() {
  if (block_->checks_definedness()) {
    check_no_copies_pending(*this);
    check_no_bulk_reads_pending(*this);
    check_no_products_pending(*this);
  }
  block_->warpgroup(index_).leave(*this);
  note_wait(0, 0, {});
  live_ &= ~active_;
  group().lanes &= ~active_;
  has_diverged_ = true;
  block_->threads_exited();
}

bool Warp::converged(LaneMask members) {
  if ((members & live_ & ~active_) == 0) return true;
  stall();
  return false;
}

void Warp::fault(FaultKind kind, std::string message, std::optional<unsigned> lane) {
  std::optional<unsigned> thread;
  if (lane) thread = index_ * kLanes + *lane;
  block_->fault(kind, std::move(message), thread, program_->origins[instruction()]);
}

void Warp::note_wait(LaneMask failed, std::size_t offset, const AwaitedPhase& phase) {
  waiting_ = (waiting_ & ~active_) | failed;
  for (FailedWait& each : failed_waits_) each.lanes &= ~active_;
  std::erase_if(failed_waits_, [](const FailedWait& each) { return each.lanes == 0; });
  if (failed == 0) return;
  failed_waits_.push_back({.lanes = failed, .offset = offset, .phase = phase, .instruction = instruction()});
  last_failed_wait_ = steps_run_;
  yield();
}

// ---- what blocks do

Warp::Outcome Warp::run(unsigned budget) {
  // A group that spins must not keep the others from doing what it waits for.
  picks_at_random_ = block_->schedule().is_random || (was_cut_short_ && groups_.size() > 1);
  was_cut_short_ = false;
  for (LaneGroup& each : groups_) each.is_stalled = false;
  has_diverged_ = groups_.size() > 1;
  if (has_diverged_) regroup();
  yields_ = false;
  has_used_global = false;
  bool has_progressed = false;
  bool only_waits = true;
  while (budget > 0 && !yields_) {
    --budget;
    const Step& step = program_->steps[group().at];
    next_ = group().at + 1;
    is_stalled_ = false;
    execute(step);
    if (block_->has_failed()) return Outcome::failed;
    if (is_stalled_) {
      group().is_stalled = true;
      merge_groups();
      if (!choose_group()) return has_progressed ? Outcome::progressed : Outcome::blocked;
      continue;
    }
    has_progressed = true;
    only_waits = only_waits && (group().lanes & ~waiting_) == 0;
    group().at = next_;
    if (has_diverged_ || next_ >= limit_) regroup();
    if (groups_.empty()) return Outcome::finished;
  }
  was_cut_short_ = true;
  // A loop around a wait is shorter than this; a small budget may end in the middle of it.
  constexpr std::uint64_t kLoop = 64;
  const bool is_near_wait = steps_run_ - last_failed_wait_ < kLoop;
  return only_waits && is_near_wait && !has_used_global ? Outcome::idle : Outcome::progressed;
}

void Warp::execute(const Step& step) {
  active_ = group().lanes;
  if (step.guard != Step::Guard::none) {
    if (block_->checks_definedness()) check_guard(step);
    const LaneMask guard = *lanes<LaneMask>(step.guard_slot);
    active_ &= step.guard == Step::Guard::if_true ? guard : ~guard;
    if (active_ == 0) return;
  }
  step.execute(*this, step);
  ++steps_run_;
  if (Profile* profile = block_->launch().profile; profile != nullptr && !is_stalled_)
    profile->count(step, active_);
  if (block_->checks_definedness() && !step.tracks_definedness_itself) propagate_definedness(step);
}

void Warp::check_guard(const Step& step) {
  const LaneMask undefined = active_ & ~defined(step.guard_slot);
  if (undefined == 0) return;
  fault(FaultKind::uninitialized, "the guard of the instruction depends on it",
        static_cast<unsigned>(std::countr_zero(undefined)));
}

void Warp::propagate_definedness(const Step& step) {
  LaneMask all = kAllLanes;
  for (unsigned i = 0; i < step.inputs; ++i) all &= defined(step.input(i));
  for (unsigned i = 0; i < step.outputs; ++i) set_defined(step.output(i), all);
}

void Warp::regroup() {
  has_diverged_ = false;
  std::erase_if(groups_, [](const LaneGroup& each) { return each.lanes == 0; });
  if (groups_.empty()) return;
  merge_groups();
  choose_group();
}

/// Groups that have met are one again.
void Warp::merge_groups() {
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    for (std::size_t j = i + 1; j < groups_.size();) {
      LaneGroup& one = groups_[i];
      const LaneGroup& other = groups_[j];
      if (one.at == other.at && one.returns == other.returns && one.ticket == other.ticket) {
        one.lanes |= other.lanes;
        one.is_stalled = false;
        groups_.erase(groups_.begin() + static_cast<std::ptrdiff_t>(j));
      } else {
        ++j;
      }
    }
  }
}

/// The group that is farthest behind, of those that can run, or any of them; false if there is none.
bool Warp::choose_group() {
  std::optional<std::size_t> chosen;
  unsigned runnable = 0;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    if (groups_[i].is_stalled) continue;
    ++runnable;
    const bool is_better = picks_at_random_ ? block_->schedule().pick(runnable) == 0
                                            : !chosen || groups_[i].at < groups_[*chosen].at;
    if (!chosen || is_better) chosen = i;
  }
  current_ = chosen.value_or(0);
  limit_ = kNowhere;
  for (const LaneGroup& each : groups_) {
    if (each.at > group().at) limit_ = std::min(limit_, each.at);
  }
  return chosen.has_value();
}

std::string Warp::waits() const {
  std::string text;
  for (const LaneGroup& each : groups_) {
    const Origin& origin = program_->origins[step_of(each).instruction];
    text += fmt::format("{}warp {} lanes {:#010x} at PTX line {}, `{}`", text.empty() ? "" : "; ", index_,
                        each.lanes, origin.line, origin.text);
  }
  return text;
}

}  // namespace lathe::runtime::ptx
