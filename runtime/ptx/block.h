// Block: the warps of one block, their shared memory and barriers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "codegen/kernel_source.h"
#include "runtime/ptx/async_proxy.h"
#include "runtime/ptx/barrier.h"
#include "runtime/ptx/fault.h"
#include "runtime/ptx/launch.h"
#include "runtime/ptx/mbarrier_objects.h"
#include "runtime/ptx/program.h"
#include "runtime/ptx/register_budget.h"
#include "runtime/ptx/schedule.h"
#include "runtime/ptx/shadow.h"
#include "runtime/ptx/warp.h"
#include "runtime/ptx/warpgroup.h"

namespace lathe::runtime::ptx {

class Cluster;
class RaceDetector;

class Block {
 public:
  /// `at`: its index in the grid. REQUIRES: all outlive it.
  Block(const Launch& launch, Cluster& cluster, Schedule& schedule, const codegen::Dim3& at, unsigned rank);
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  const Launch& launch() const { return *launch_; }
  Cluster& cluster() { return *cluster_; }
  Schedule& schedule() { return *schedule_; }
  const codegen::Dim3& index() const { return index_; }
  unsigned rank() const { return rank_; }  ///< in the cluster
  unsigned threads() const { return threads_; }
  std::vector<std::unique_ptr<Warp>>& warps() { return warps_; }

  /// Addresses of the shared space begin at kSharedBase: subtract it.
  std::span<std::byte> shared() { return shared_; }
  Shadow& shared_shadow() { return shared_shadow_; }
  GenericWrites& generic_writes() { return generic_writes_; }
  /// `.local` and the parameters of device functions, of one thread.
  std::span<std::byte> thread_memory(unsigned thread);
  Shadow& thread_shadow() { return thread_shadow_; }
  std::size_t thread_memory_offset(unsigned thread) const;

  std::array<Barrier, 16>& barriers() { return barriers_; }
  /// The one that a warp belongs to, whether or not it is complete.
  Warpgroup& warpgroup(unsigned warp) { return warpgroups_[warp / kWarpgroupWarps]; }
  RegisterBudget& register_budget() { return register_budget_; }
  MbarrierObjects& mbarriers() { return mbarriers_; }
  /// Threads that have not exited.
  unsigned live_threads() const;
  /// Nobody waits for threads that are gone.
  void threads_exited();

  std::uint64_t special(Special special, unsigned thread) const;

  bool checks_definedness() const { return launch_->checks.definedness; }
  bool checks_races() const { return launch_->checks.races; }
  RaceDetector& races();  ///< REQUIRES: checks_races()
  bool has_failed() const { return !launch_->faults->empty(); }
  void fault(FaultKind kind, std::string message, std::optional<unsigned> thread, const Origin& origin);
  codegen::Dim3 thread_index(unsigned thread) const;

 private:
  const Launch* launch_;
  Cluster* cluster_;
  Schedule* schedule_;
  codegen::Dim3 index_;
  unsigned rank_;
  unsigned threads_;
  std::vector<std::byte> shared_;
  Shadow shared_shadow_;
  GenericWrites generic_writes_;
  std::vector<std::byte> thread_memory_;
  Shadow thread_shadow_;
  std::array<Barrier, 16> barriers_{};
  MbarrierObjects mbarriers_;
  std::vector<std::unique_ptr<Warp>> warps_;
  std::vector<Warpgroup> warpgroups_;
  RegisterBudget register_budget_;
};

}  // namespace lathe::runtime::ptx
