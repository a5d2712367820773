#include "runtime/ptx/block.h"

#include <algorithm>
#include <bit>

#include "runtime/ptx/cluster.h"

namespace lathe::runtime::ptx {

namespace {

unsigned volume(const codegen::Dim3& size) {
  return size.x * size.y * size.z;
}

codegen::Dim3 position_in(unsigned linear, const codegen::Dim3& size) {
  return {linear % size.x, linear / size.x % size.y, linear / (size.x * size.y)};
}

unsigned component(const codegen::Dim3& value, Special special, Special x) {
  const auto i = static_cast<unsigned>(special) - static_cast<unsigned>(x);
  return i == 0 ? value.x : i == 1 ? value.y : value.z;
}

}  // namespace

Block::Block(const Launch& launch, Cluster& cluster, Schedule& schedule, const codegen::Dim3& at,
             unsigned rank)
    : launch_(&launch),
      cluster_(&cluster),
      schedule_(&schedule),
      index_(at),
      rank_(rank),
      threads_(volume(launch.facts.block)),
      shared_(launch.program->static_shared_bytes + launch.facts.dynamic_shared_bytes),
      register_budget_(launch.program->registers, (threads_ + kLanes - 1) / kLanes) {
  const Program& program = *launch.program;
  thread_memory_.resize(program.local_bytes * threads_);
  if (launch.checks.races) generic_writes_ = GenericWrites(shared_.size());
  if (launch.checks.definedness) {
    shared_shadow_ = Shadow(shared_.size());
    thread_shadow_ = Shadow(thread_memory_.size());
  }
  for (unsigned first = 0; first < threads_; first += kLanes) {
    const unsigned lanes = std::min(kLanes, threads_ - first);
    const LaneMask mask = kAllLanes >> (kLanes - lanes);
    warps_.push_back(std::make_unique<Warp>(program, *this, first / kLanes, mask));
  }
  warpgroups_.resize((warps_.size() + kWarpgroupWarps - 1) / kWarpgroupWarps);
}

std::size_t Block::thread_memory_offset(unsigned thread) const {
  return launch_->program->local_bytes * thread;
}

std::span<std::byte> Block::thread_memory(unsigned thread) {
  return std::span(thread_memory_).subspan(thread_memory_offset(thread), launch_->program->local_bytes);
}

RaceDetector& Block::races() {
  return *cluster_->races();
}

unsigned Block::live_threads() const {
  unsigned count = 0;
  for (const auto& warp : warps_) count += static_cast<unsigned>(std::popcount(warp->live()));
  return count;
}

void Block::threads_exited() {
  const unsigned live = live_threads();
  for (Barrier& barrier : barriers_) barrier.complete_if_all_there(live);
  cluster_->threads_exited();
}

codegen::Dim3 Block::thread_index(unsigned thread) const {
  return position_in(thread, launch_->facts.block);
}

std::uint64_t Block::special(Special special, unsigned thread) const {
  using enum Special;
  const codegen::Dim3& size = launch_->facts.block;
  const codegen::Dim3& cluster = launch_->facts.cluster;
  const codegen::Dim3 grid{static_cast<unsigned>(launch_->grid.x), launch_->grid.y, launch_->grid.z};
  const codegen::Dim3 clusters{grid.x / cluster.x, grid.y / cluster.y, grid.z / cluster.z};
  const unsigned lane = thread % kLanes;
  if (special <= tid_z) return component(thread_index(thread), special, tid_x);
  if (special <= ntid_z) return component(size, special, ntid_x);
  if (special <= ctaid_z) return component(index_, special, ctaid_x);
  if (special <= nctaid_z) return component(grid, special, nctaid_x);
  if (special <= clusterid_z) {
    const codegen::Dim3 at{index_.x / cluster.x, index_.y / cluster.y, index_.z / cluster.z};
    return component(at, special, clusterid_x);
  }
  if (special <= nclusterid_z) return component(clusters, special, nclusterid_x);
  if (special <= cluster_ctaid_z) return component(position_in(rank_, cluster), special, cluster_ctaid_x);
  if (special <= cluster_nctaid_z) return component(cluster, special, cluster_nctaid_x);
  switch (special) {
    case cluster_ctarank:
      return rank_;
    case cluster_nctarank:
      return volume(cluster);
    case is_explicit_cluster:
      return volume(cluster) > 1 ? kAllLanes : 0;
    case laneid:
      return lane;
    case warpid:
      return thread / kLanes;
    case nwarpid:
      return (threads_ + kLanes - 1) / kLanes;
    case smid:
      return index_.x % launch_->processors;
    case nsmid:
      return launch_->processors;
    case lanemask_eq:
      return LaneMask{1} << lane;
    case lanemask_le:
      return (LaneMask{2} << lane) - 1;
    case lanemask_lt:
      return (LaneMask{1} << lane) - 1;
    case lanemask_ge:
      return ~((LaneMask{1} << lane) - 1);
    case lanemask_gt:
      return ~((LaneMask{2} << lane) - 1);
    case dynamic_smem_size:
      return launch_->facts.dynamic_shared_bytes;
    case total_smem_size:
    case aggr_smem_size:
      return shared_.size();
    default:
      return 0;
  }
}

void Block::fault(FaultKind kind, std::string message, std::optional<unsigned> thread, const Origin& origin) {
  Fault fault{
      .kind = kind, .message = std::move(message), .block = index_, .thread = std::nullopt, .origin = origin};
  if (thread) fault.thread = thread_index(*thread);
  launch_->faults->add(std::move(fault));
}

}  // namespace lathe::runtime::ptx
