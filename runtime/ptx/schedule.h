// Schedule: in which order warps, and lanes that have diverged, run.
#pragma once

#include <cstdint>
#include <random>

namespace lathe::runtime::ptx {

/// Of one worker thread. The same seed gives the same order.
class Schedule {
 public:
  Schedule(std::uint64_t seed, bool random) : is_random(random), random_(seed) {}

  /// True: warps run in any order and for any number of steps, and lanes that have diverged meet again only
  /// where they must, so that a missing barrier shows. False: warps run in turn, from barrier to barrier.
  const bool is_random;

  /// 0 to `count` - 1.
  unsigned pick(unsigned count) { return static_cast<unsigned>(random_() % count); }
  /// Steps that a warp runs before another has its turn.
  unsigned budget() { return is_random ? 1 + pick(64) : 4096; }

 private:
  std::mt19937_64 random_;
};

}  // namespace lathe::runtime::ptx
