// The report of warps that wait for mbarriers in vain.
#pragma once

#include <vector>

namespace lathe::runtime::ptx {

class Warp;

/// For warps that have done nothing for long but wait: reports which mbarriers they wait for, and what these
/// lack. False if none waits for one.
bool report_mbarrier_deadlock(const std::vector<Warp*>& warps);

}  // namespace lathe::runtime::ptx
