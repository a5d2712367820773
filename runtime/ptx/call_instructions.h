// call: arguments and results are copied between the `.param` variables of caller and callee.
#pragma once

#include "runtime/ptx/decoding.h"

namespace lathe::runtime::ptx {

/// The second step of a call, to which the callee returns.
Execute decode_call_results(Decoding& decoding);

}  // namespace lathe::runtime::ptx
