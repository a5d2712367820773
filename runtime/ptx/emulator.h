// The PTX emulator as an Executor: GPU kernels, run and checked instruction by instruction on the processor.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <lathe/emulator.h>

#include "runtime/executor.h"
#include "runtime/ptx/launch.h"

namespace lathe::runtime {

struct EmulatorSettings {
  std::string arch = "sm_90a";  ///< whose code is run
  ptx::Checks checks{};
  std::uint64_t seed = 0;
  bool random_schedule = false;  ///< see ptx::Schedule
  unsigned workers = 0;          ///< threads; 0: as many as the process may use
  /// Called after each launch with what it did; empty: nothing is counted. Must be thread-safe.
  std::function<void(const LaunchProfile&)> on_profile{};
};

/// Launches are complete when they return, and are errors if the kernel did anything that it must not.
std::unique_ptr<Executor> make_emulator(const EmulatorSettings& settings);

}  // namespace lathe::runtime
