// Whether the lanes of a warp that store to the same bytes store the same values.
#pragma once

#include <array>

#include "runtime/ptx/memory_access.h"
#include "runtime/ptx/program.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

/// After a weak store of the active lanes, whose values are the inputs behind the address. Reports a lane
/// whose bytes another one overwrote with other values: which of them is stored last is not defined.
void check_lanes_agree(Warp& warp, const Step& step, unsigned elements, unsigned element_bytes,
                       const std::array<Place, kLanes>& places);

}  // namespace lathe::runtime::ptx
