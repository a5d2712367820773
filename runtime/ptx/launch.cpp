#include "runtime/ptx/launch.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/ptx/access_history.h"
#include "runtime/ptx/cluster.h"
#include "runtime/ptx/profile.h"

namespace lathe::runtime::ptx {

codegen::Dim3 block_index(const Launch& launch, std::uint64_t cluster, unsigned rank) {
  const codegen::Dim3& size = launch.facts.cluster;
  const std::uint64_t columns = launch.grid.x / size.x;
  const std::uint64_t rows = launch.grid.y / size.y;
  return {static_cast<unsigned>(cluster % columns) * size.x + rank % size.x,
          static_cast<unsigned>(cluster / columns % rows) * size.y + rank / size.x % size.y,
          static_cast<unsigned>(cluster / (columns * rows)) * size.z + rank / (size.x * size.y)};
}

void run(const Launch& wanted) {
  Launch launch = wanted;
  GlobalHistory history;
  launch.history = &history;
  const codegen::Dim3& size = launch.facts.cluster;
  const std::uint64_t clusters = launch.grid.x / size.x * (launch.grid.y / size.y) * (launch.grid.z / size.z);
  std::atomic<std::uint64_t> next{0};
  TouchedMemory touched;
  std::mutex counts_mutex;
  const auto work = [&] {
    Launch mine = launch;
    Profile profile(*launch.memory, touched);
    if (launch.counts != nullptr) mine.profile = &profile;
    // In order: a block may wait for an earlier one, never for a later.
    for (std::uint64_t number = next++; number < clusters && launch.faults->empty(); number = next++)
      Cluster(mine, number).run();
    if (launch.counts == nullptr) return;
    const std::lock_guard lock(counts_mutex);
    profile.add_to(*launch.counts);
  };
  std::vector<std::jthread> helpers;
  const std::uint64_t workers = std::min<std::uint64_t>(launch.workers, clusters);
  for (std::uint64_t i = 1; i < workers; ++i) helpers.emplace_back(work);
  work();
}

}  // namespace lathe::runtime::ptx
