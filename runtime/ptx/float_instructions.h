// Decoding of the floating-point forms of opcodes that integers have, too.
#pragma once

#include "runtime/ptx/decoding.h"

namespace lathe::runtime::ptx {

Execute decode_float_add(Decoding& d);
Execute decode_float_sub(Decoding& d);
Execute decode_float_mul(Decoding& d);
Execute decode_float_mad(Decoding& d);
Execute decode_float_fma(Decoding& d);
Execute decode_float_div(Decoding& d);
Execute decode_float_min(Decoding& d);
Execute decode_float_max(Decoding& d);
Execute decode_float_neg(Decoding& d);
Execute decode_float_abs(Decoding& d);

}  // namespace lathe::runtime::ptx
