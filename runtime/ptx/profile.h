// Profile: counts what blocks do. One per worker thread; added up at the end of a launch.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include <lathe/emulator.h>

#include "runtime/ptx/global_memory.h"
#include "runtime/ptx/memory_access.h"
#include "runtime/ptx/place.h"
#include "runtime/ptx/program.h"

namespace lathe::runtime::ptx {

/// Which bytes of global memory a launch has touched already. Thread-safe.
class TouchedBytes {
 public:
  /// How many of the bytes are touched for the first time.
  std::size_t touch(const GlobalMemory::Allocation& allocation, const std::byte* begin, std::size_t bytes);

 private:
  std::mutex mutex_;
  std::map<const GlobalMemory::Allocation*, Shadow> touched_;
};

/// What all workers of a launch share.
struct TouchedMemory {
  TouchedBytes read;
  TouchedBytes written;
};

class Profile {
 public:
  Profile(const GlobalMemory& memory, TouchedMemory& touched) : memory_(&memory), touched_(&touched) {}

  void count(const Step& step, LaneMask active);
  /// One access of a warp.
  void count(const Access& access, LaneMask lanes, const std::array<Place, kLanes>& places);

  void add_to(LaunchProfile& sum) const;

 private:
  void count_global(const Access& access, LaneMask lanes, const std::array<Place, kLanes>& places);
  void count_shared(const Access& access, LaneMask lanes, const std::array<Place, kLanes>& places);

  const GlobalMemory* memory_;
  TouchedMemory* touched_;
  std::array<std::uint64_t, kStepClasses> steps_{};
  std::uint64_t lane_steps_ = 0;
  LaunchProfile::Global global_;
  LaunchProfile::Shared shared_;
};

/// The sectors of 32 bytes that lanes touch, each counted once.
std::size_t sectors_of(unsigned bytes, LaneMask lanes, const std::array<Place, kLanes>& places);

/// Passes through the banks: a pass takes one 4-byte word from each. Accesses of 8 bytes go by half warps, of
/// 16 by quarters.
struct Wavefronts {
  std::size_t needed = 0;
  std::size_t ideal = 0;
};
Wavefronts wavefronts_of(unsigned bytes, LaneMask lanes, const std::array<Place, kLanes>& places);

}  // namespace lathe::runtime::ptx
