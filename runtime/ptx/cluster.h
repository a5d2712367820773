// Cluster: blocks that run together and see each other's shared memory; usually one.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/ptx/barrier.h"
#include "runtime/ptx/block.h"
#include "runtime/ptx/launch.h"
#include "runtime/ptx/races.h"
#include "runtime/ptx/schedule.h"

namespace lathe::runtime::ptx {

class Cluster {
 public:
  /// `number`: the cluster's position in the grid, x first.
  Cluster(const Launch& launch, std::uint64_t number);
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  /// Until all threads have exited, or something is wrong.
  void run();

  /// The block of that rank; nullptr if there is none.
  Block* block(unsigned rank) { return rank < blocks_.size() ? blocks_[rank].get() : nullptr; }
  unsigned size() const { return static_cast<unsigned>(blocks_.size()); }
  Barrier& barrier() { return barrier_; }
  RaceDetector* races() { return races_.get(); }  ///< nullptr: races are not checked
  unsigned live_threads() const;
  void threads_exited() {
    ++changes;
    barrier_.complete_if_all_there(live_threads());
  }

  std::uint64_t proxy_fences = 0;  ///< fence.proxy.async that were executed
  std::uint64_t changes = 0;       ///< of mbarriers, and others that may help a warp that waits for one

 private:
  enum class Round : std::uint8_t {
    progressed,
    idle,   ///< all warps are blocked or wait for mbarriers
    stuck,  ///< all are blocked
  };
  /// Every warp in turn.
  Round run_round(std::vector<Warp*>& warps);
  /// When all threads have exited: does what is asynchronous and not done yet.
  void finish();
  void report_deadlock(const std::vector<Warp*>& warps);

  const Launch* launch_;
  Schedule schedule_;
  Barrier barrier_;
  std::unique_ptr<RaceDetector> races_;
  std::vector<std::unique_ptr<Block>> blocks_;
};

}  // namespace lathe::runtime::ptx
