// What the emulator counted, as a table and as JSON.
#pragma once

#include <string>

#include <lathe/emulator.h>
#include <nlohmann/json_fwd.hpp>

#include "tools/lathe/console.h"

namespace lathe::tools {

nlohmann::ordered_json profile_json(const LaunchProfile& profile);

/// A few lines: instructions by class, global and shared memory.
std::string profile_text(const LaunchProfile& profile);

inline void print_profile(Console& console, const LaunchProfile& profile) {
  console.print(profile_text(profile));
}

}  // namespace lathe::tools
