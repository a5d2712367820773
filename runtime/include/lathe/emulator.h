// What the PTX emulator looks for, and what it counts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <lathe/export.h>

namespace lathe {

/// Each level includes those above it. Whatever is found makes the launch an error that names block, thread
/// and instruction.
enum class EmulatorCheck : std::uint8_t {
  bounds,  ///< accesses out of bounds or misaligned, divergent barriers, deadlocks: always looked for
  values,  ///< registers and memory that are used before anybody wrote them
  races,   ///< accesses of two warps or blocks that nothing puts in order
};

LATHE_API std::string_view name_of(EmulatorCheck check);

/// What one emulated launch did, whether or not it succeeded. A GPU of the architecture would do the same,
/// but for what its caches and its own compiler spare.
struct LaunchProfile {
  std::string kernel;  ///< name of the entry

  /// Instructions, one for each warp that executed it.
  struct Instructions {
    std::uint64_t arithmetic = 0;
    std::uint64_t special_function = 0;
    std::uint64_t conversion = 0;
    std::uint64_t move = 0;
    std::uint64_t control = 0;
    std::uint64_t memory = 0;
    std::uint64_t synchronization = 0;
    std::uint64_t matrix = 0;
  } instructions{};
  std::uint64_t warp_instructions = 0;  ///< the sum of them
  std::uint64_t lane_instructions = 0;  ///< each counted once per active lane

  /// Bytes asked for by all lanes, and in how many pieces. An atomic both reads and writes.
  struct Global {
    std::uint64_t read_bytes = 0;
    std::uint64_t written_bytes = 0;
    std::uint64_t distinct_read_bytes = 0;  ///< each byte of memory counted once in the launch
    std::uint64_t distinct_written_bytes = 0;
    std::uint64_t requests = 0;  ///< accesses of a warp
    std::uint64_t sectors = 0;   ///< pieces of 32 bytes that those touch
    /// The fewest sectors that the same bytes fit into: fully coalesced if `sectors` is not more.
    std::uint64_t ideal_sectors = 0;
  } global{};

  struct Shared {
    std::uint64_t read_bytes = 0;
    std::uint64_t written_bytes = 0;
    std::uint64_t wavefronts = 0;        ///< passes through the 32 banks
    std::uint64_t ideal_wavefronts = 0;  ///< as many as there would be without bank conflicts
  } shared{};
};

}  // namespace lathe
