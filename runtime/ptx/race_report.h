// What a race is reported as.
#pragma once

#include <string>

#include "runtime/ptx/access_history.h"
#include "runtime/ptx/memory_access.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

/// The earlier access and the warp's present one that races with it. Where the warp is a Fault adds.
std::string describe_race(Warp& warp, const Access& access, const Place& place, const Touch& other);

/// "shared memory, 128 bytes from its beginning" and the like.
std::string describe_place(Warp& warp, const Place& place);

}  // namespace lathe::runtime::ptx
