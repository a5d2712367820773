// Decoding of the instructions that floats have too, where the type is an integer's.
#pragma once

#include "runtime/ptx/decoding.h"

namespace lathe::runtime::ptx {

Execute decode_integer_add(Decoding& d);
Execute decode_integer_sub(Decoding& d);
Execute decode_integer_mul(Decoding& d);
Execute decode_integer_mad(Decoding& d);
Execute decode_integer_div(Decoding& d);
Execute decode_integer_min(Decoding& d);
Execute decode_integer_max(Decoding& d);
Execute decode_integer_neg(Decoding& d);
Execute decode_integer_abs(Decoding& d);

}  // namespace lathe::runtime::ptx
