// Which lanes an instruction that they execute together waits for.
#pragma once

#include "runtime/ptx/program.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

/// Whether every active lane's members execute the step too; if not yet, the warp stalls. A lane that is not
/// in its own mask is a fault. `members`: a mask per lane, which may differ between lanes that do not wait
/// for each other.
bool members_are_together(Warp& warp, const Step& step, Slot members);

/// Whether all lanes of the warp execute the step, as an `.aligned` one needs; if not yet, the warp stalls.
/// Lanes that never will, because they have exited or their guard is false, are a fault.
bool are_aligned(Warp& warp);

/// The same for what needs 32 lanes: matrices are spread over all of them.
bool are_all_aligned(Warp& warp);

}  // namespace lathe::runtime::ptx
