// What launches do to memory, counted by the emulator: holds a kernel to a bound with no GPU at hand.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <lathe/emulator.h>
#include <lathe/runtime.h>

#include "tests/support/catch.h"

namespace lathe::tests {

/// Runs the work, which launches on a Runtime of an emulated GPU, and gives a profile for each entry point
/// that was launched, in order. Only bounds are checked. nullopt where nothing compiles for GPUs, which is
/// said in the log; a launch that fails fails the test.
inline std::optional<std::vector<LaunchProfile>> profiles_of(
    const std::string& arch, const std::function<Result<void>(Runtime&)>& work) {
  std::mutex mutex;
  std::vector<LaunchProfile> profiles;
  Options options;
  options.target = Target::parse("emulate:" + arch).value();
  options.disk_cache = false;
  options.emulator_check = EmulatorCheck::bounds;
  options.on_launch_profile = [&](const LaunchProfile& profile) {
    const std::lock_guard lock(mutex);
    profiles.push_back(profile);
  };
  Runtime runtime = Runtime::open(options).value();
  const auto done = work(runtime);
  if (!done && done.error().code == ErrorCode::toolchain_missing) {
    WARN("skipped on emulate:" << arch << ": " << done.error().message);
    return std::nullopt;
  }
  if (!done) FAIL(done.error().text());
  return profiles;
}

}  // namespace lathe::tests
