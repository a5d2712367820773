// Comparisons of registers, a warp's lanes at once.
#pragma once

#include "runtime/ptx/comparison.h"
#include "runtime/ptx/program.h"
#include "runtime/ptx/types.h"

namespace lathe::runtime::ptx {

class Warp;

/// In which lanes a relation holds between two registers.
using CompareLanes = LaneMask (*)(Warp&, Slot a, Slot b);

struct LaneComparison {
  CompareLanes first = nullptr;
  CompareLanes second = nullptr;  ///< of the upper half of a packed type; nullptr for others
};

/// Without `first` if the type cannot be compared. REQUIRES: the type has the relation.
LaneComparison lane_comparison(comparison::Relation relation, Type type, bool is_flushed);

}  // namespace lathe::runtime::ptx
