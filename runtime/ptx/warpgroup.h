// Warpgroup: four warps, the first of which has an index that is a multiple of four.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "runtime/ptx/program.h"

namespace lathe::runtime::ptx {

class Warp;

constexpr unsigned kWarpgroupWarps = 4;

/// A step that all four warps must execute, with the same operands.
struct WarpgroupStep {
  std::uint32_t instruction = 0;  ///< index into Program::origins
  std::array<std::uint64_t, 3> operands{};
};

/// Sees to it that the warps execute the same such steps in the same order. They do not wait for each other.
class Warpgroup {
 public:
  /// Before a warp executes a step; after a fault false.
  bool join(Warp& warp, const WarpgroupStep& step);
  /// When lanes of a warp exit: reports steps that only the others have executed.
  void leave(Warp& warp);

 private:
  std::uint64_t& executed(const Warp& warp);
  void forget();

  std::array<std::uint64_t, kWarpgroupWarps> executed_{};  ///< steps, by warp
  std::deque<WarpgroupStep> steps_;                        ///< that a warp has executed and another has not
  std::uint64_t first_ = 0;                                ///< the number of the first of these
};

/// Whether all lanes of the warp execute the step, and the block has all warps of the warpgroup; if not, the
/// warp stalls or there is a fault.
bool is_warpgroup_aligned(Warp& warp);

}  // namespace lathe::runtime::ptx
