// Launch: everything that is the same for all blocks of one kernel launch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <lathe/emulator.h>

#include "codegen/kernel_source.h"
#include "codegen/op.h"
#include "runtime/ptx/fault.h"
#include "runtime/ptx/global_memory.h"
#include "runtime/ptx/program.h"

namespace lathe::runtime::ptx {

/// What is looked for besides accesses out of bounds and misaligned ones, which always end a launch.
struct Checks {
  bool definedness = true;  ///< registers, shared and global memory that are used before they are written
  bool races = true;        ///< between warps and blocks
};

class GlobalHistory;
class Profile;

struct Launch {
  const Program* program = nullptr;
  std::span<const std::byte> parameters;
  codegen::Grid grid;
  codegen::LaunchFacts facts;
  const GlobalMemory* memory = nullptr;
  FaultLog* faults = nullptr;
  Checks checks;
  std::uint64_t seed = 0;
  bool random_schedule = false;
  unsigned workers = 1;
  unsigned processors = 1;           ///< emulated multiprocessors
  GlobalHistory* history = nullptr;  ///< for checks.races; set by run()
  LaunchProfile* counts = nullptr;   ///< where to add what the launch did; nullptr: it is not counted
  Profile* profile = nullptr;        ///< of the worker; set by run()
};

/// The index in the grid of a block of a cluster. `cluster`: its position in the grid, x first, as `rank` is
/// the block's in the cluster.
codegen::Dim3 block_index(const Launch& launch, std::uint64_t cluster, unsigned rank);

/// Runs all blocks; what went wrong is in Launch::faults.
void run(const Launch& launch);

}  // namespace lathe::runtime::ptx
