// Warp: 32 lanes, their registers, and which of them are where in the program.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/ptx/async_copies.h"
#include "runtime/ptx/bulk_groups.h"
#include "runtime/ptx/fault.h"
#include "runtime/ptx/global_memory.h"
#include "runtime/ptx/mbarrier.h"
#include "runtime/ptx/program.h"
#include "runtime/ptx/wgmma_state.h"

namespace lathe::runtime::ptx {

class Block;

/// Lanes that are at the same place.
struct LaneGroup {
  std::uint32_t at = 0;  ///< step
  LaneMask lanes = 0;
  bool is_stalled = false;
  /// The phase of the barrier that the group has arrived at and waits for.
  std::optional<std::uint64_t> ticket;
  std::vector<std::uint32_t> returns;  ///< steps after the calls that it is in
};

/// Lanes whose last wait for an mbarrier of their block found its phase not over.
struct FailedWait {
  LaneMask lanes = 0;
  std::size_t offset = 0;  ///< of the mbarrier
  AwaitedPhase phase;
  std::uint32_t instruction = 0;  ///< index into Program::origins
};

/// Lanes run together while they are at the same place; after a divergent branch the group that is farthest
/// behind runs first, so that groups meet again where control flow does. That is one of the schedules that
/// the ISA allows; see Schedule for others.
class Warp {
 public:
  /// REQUIRES: the program and the block outlive it.
  Warp(const Program& program, Block& block, unsigned index, LaneMask lanes);

  // What instructions work on.

  /// The values of a register or constant. REQUIRES: T is as wide as the slot.
  template <class T>
  T* lanes(Slot slot) {
    return reinterpret_cast<T*>(frame_.get() + slot.offset);
  }
  /// A predicate, negated if the slot says so.
  LaneMask mask(Slot slot) {
    const LaneMask value = *lanes<LaneMask>(slot);
    return slot.is_negated ? ~value : value;
  }
  /// Sets the predicate of the active lanes.
  void set_mask(Slot slot, LaneMask value) {
    LaneMask& mask = *lanes<LaneMask>(slot);
    mask = (mask & ~active_) | (value & active_);
  }
  /// One value, whatever its width, zero-extended.
  std::uint64_t value(Slot slot, unsigned lane);
  void set_value(Slot slot, unsigned lane, std::uint64_t value);

  LaneMask active() const { return active_; }  ///< those that execute the present step
  LaneMask live() const { return live_; }      ///< those that have not exited
  LaneMask born() const { return born_; }      ///< those that the warp began with
  unsigned index() const { return index_; }    ///< in the block
  Block& block() { return *block_; }
  const Program& program() const { return *program_; }
  LaneGroup& group() { return groups_[current_]; }
  std::uint64_t steps_run() const { return steps_run_; }
  /// What it executes, or what has issued the asynchronous operation that is done in its name; index into
  /// Program::origins.
  std::uint32_t instruction() const {
    return issued_by ? *issued_by : step_of(groups_[current_]).instruction;
  }

  /// Which lanes of a slot hold a value that was written.
  LaneMask defined(Slot slot) const { return slot.id == Slot::kConstant ? kAllLanes : defined_[slot.id]; }
  void set_defined(Slot slot, LaneMask defined) {
    LaneMask& mask = defined_[slot.id];
    mask = (mask & ~active_) | (defined & active_);
  }

  // What control instructions do.

  /// The active lanes go on at the step; the rest of the group does not.
  void jump(std::uint32_t step);
  /// Each active lane goes on at its own step.
  void jump_each(const std::array<std::uint32_t, kLanes>& steps);
  void call(std::uint32_t step);
  void return_or_exit();
  void exit();
  /// The step was not done: it is executed again when other groups or warps have run.
  void stall() { is_stalled_ = true; }
  /// The warp has nothing better to do: others run before it goes on.
  void yield() { yields_ = true; }
  /// Of the active lanes `failed` waited in vain, and the warp yields if there are any; the others did not.
  void note_wait(LaneMask failed, std::size_t offset, const AwaitedPhase& phase);
  const std::vector<FailedWait>& failed_waits() const { return failed_waits_; }
  /// Whether all of `members` that live execute the present step; if not, stalls.
  bool converged(LaneMask members);
  /// The launch ends with a report. `lane`: the first that it concerns.
  void fault(FaultKind kind, std::string message, std::optional<unsigned> lane = std::nullopt);

  /// Arrivals at the cluster's barrier that have not been waited for.
  struct ClusterArrivals {
    LaneMask lanes = 0;
    std::array<std::uint64_t, kLanes> tickets{};
  } cluster_arrivals;
  AsyncCopies async_copies;
  BulkGroups bulk_groups;
  WgmmaState wgmma;
  /// While an asynchronous operation is done in the warp's name, whatever it does itself by now.
  std::optional<std::uint32_t> issued_by;
  std::uint64_t last_proxy_fence = 0;  ///< the number of its last fence.proxy.async in the cluster, from 1
  /// Where the present instruction found its last global access: it mostly goes to the same allocation again.
  const GlobalMemory::Allocation*& known_allocation() {
    return known_allocations_[instruction() % known_allocations_.size()];
  }
  bool has_used_global = false;  ///< since it last began to run

  // What blocks do.

  enum class Outcome : std::uint8_t {
    progressed,
    idle,  ///< all it did was to wait for mbarriers, without a look at global memory, by which others could
           ///< help
    blocked,
    finished,
    failed,
  };
  /// Runs until it exits, yields, every group is stalled, or `budget` steps are done.
  Outcome run(unsigned budget);
  /// Where its groups wait, for a report of a deadlock.
  std::string waits() const;
  bool is_divergent() const { return groups_.size() > 1; }
  const Step& step_of(const LaneGroup& group) const { return program_->steps[group.at]; }

 private:
  void fill_constants();
  void execute(const Step& step);
  void check_guard(const Step& step);
  void propagate_definedness(const Step& step);
  void regroup();
  void merge_groups();
  bool choose_group();

  const Program* program_;
  Block* block_;
  unsigned index_;
  struct FreeAligned {
    void operator()(std::byte* bytes) const { ::operator delete[](bytes, std::align_val_t{64}); }
  };
  std::unique_ptr<std::byte[], FreeAligned> frame_;
  std::vector<LaneMask> defined_;
  std::vector<LaneGroup> groups_;
  std::size_t current_ = 0;
  std::uint32_t next_ = 0;   ///< where the current group goes on
  std::uint32_t limit_ = 0;  ///< the nearest step of another group
  LaneMask born_ = 0;
  LaneMask live_ = 0;
  LaneMask active_ = 0;
  std::array<const GlobalMemory::Allocation*, 16> known_allocations_{};
  bool is_stalled_ = false;
  bool yields_ = false;
  bool has_diverged_ = false;   ///< groups changed: look for the next one to run
  bool was_cut_short_ = false;  ///< the last run ended although a group could go on
  bool picks_at_random_ = false;
  std::uint64_t steps_run_ = 0;
  std::vector<FailedWait> failed_waits_;
  LaneMask waiting_ = 0;                ///< the lanes of these
  std::uint64_t last_failed_wait_ = 0;  ///< steps run before it
};

}  // namespace lathe::runtime::ptx
