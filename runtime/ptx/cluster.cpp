#include "runtime/ptx/cluster.h"

#include <algorithm>

#include <fmt/format.h>

#include "runtime/ptx/mbarrier_deadlock.h"

namespace lathe::runtime::ptx {

namespace {

/// Rounds in which nothing happens before they count as a deadlock. Many, since lanes that have diverged and
/// pending operations may have their turn at random, and loops may do a little work beside their polling.
constexpr unsigned kPatience = 1000;

}  // namespace

Cluster::Cluster(const Launch& launch, std::uint64_t number)
    : launch_(&launch),
      // Which worker runs a cluster must not change what happens in it.
      schedule_(launch.seed ^ (number * 0x9E3779B97F4A7C15u), launch.random_schedule) {
  const codegen::Dim3& size = launch.facts.cluster;
  for (unsigned rank = 0; rank < size.x * size.y * size.z; ++rank)
    blocks_.push_back(
        std::make_unique<Block>(launch, *this, schedule_, block_index(launch, number, rank), rank));
  if (launch.checks.races) {
    races_ = std::make_unique<RaceDetector>(launch, static_cast<std::uint32_t>(number),
                                            blocks_.front()->shared().size());
  }
}

unsigned Cluster::live_threads() const {
  unsigned count = 0;
  for (const auto& block : blocks_) count += block->live_threads();
  return count;
}

void Cluster::run() {
  std::vector<Warp*> warps;
  for (const auto& block : blocks_) {
    for (const auto& warp : block->warps()) warps.push_back(warp.get());
  }
  unsigned idle_rounds = 0;
  while (!warps.empty()) {
    const std::uint64_t before = changes;
    const Round round = run_round(warps);
    if (!launch_->faults->empty()) return;
    if (round == Round::stuck) return report_deadlock(warps);
    idle_rounds = round == Round::idle && changes == before ? idle_rounds + 1 : 0;
    if (idle_rounds < kPatience) continue;
    if (report_mbarrier_deadlock(warps)) return;
    idle_rounds = 0;
  }
  finish();
}

void Cluster::finish() {
  for (const auto& block : blocks_) {
    for (const auto& warp : block->warps()) {
      if (!warp->bulk_groups.finish()) return;
    }
  }
  for (const auto& block : blocks_) {
    if (!finish_pending(*block)) return;
  }
}

Cluster::Round Cluster::run_round(std::vector<Warp*>& warps) {
  if (schedule_.is_random) {
    for (std::size_t i = warps.size(); i > 1; --i)
      std::swap(warps[i - 1], warps[schedule_.pick(static_cast<unsigned>(i))]);
  }
  bool is_stuck = true;
  bool is_idle = true;
  for (Warp*& warp : warps) {
    const Warp::Outcome outcome = warp->run(schedule_.budget());
    if (outcome == Warp::Outcome::failed) return Round::stuck;
    is_stuck = is_stuck && outcome == Warp::Outcome::blocked;
    is_idle = is_idle && (outcome == Warp::Outcome::blocked || outcome == Warp::Outcome::idle);
    if (outcome == Warp::Outcome::finished) warp = nullptr;
  }
  std::erase(warps, nullptr);
  return is_stuck ? Round::stuck : is_idle ? Round::idle : Round::progressed;
}

void Cluster::report_deadlock(const std::vector<Warp*>& warps) {
  constexpr std::size_t kShown = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(kShown, warps.size()); ++i)
    text += fmt::format("{}{}", i == 0 ? "" : "; ", warps[i]->waits());
  if (warps.size() > kShown) text += fmt::format("; and {} more warps", warps.size() - kShown);
  Warp& first = *warps.front();
  const bool is_divergent = first.is_divergent();
  first.fault(is_divergent ? FaultKind::divergence : FaultKind::deadlock,
              fmt::format("all that are left wait for others: {}", text));
}

}  // namespace lathe::runtime::ptx
