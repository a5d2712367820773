// The parameters that the CPU's and the GPU's template of rope share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <lathe/rope.h>

#include "codegen/op.h"

namespace lathe::codegen {

/// All but kTurns, whose order differs. REQUIRES: a normalized spec.
Parameters common_rope_parameters(const RopeSpec& spec);

}  // namespace lathe::codegen
