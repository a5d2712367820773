// Decoding of the instructions that choose between two values, and of those that test one.
#pragma once

#include "runtime/ptx/decoding.h"

namespace lathe::runtime::ptx {

Execute decode_selp(Decoding& d);
Execute decode_slct(Decoding& d);
Execute decode_testp(Decoding& d);

}  // namespace lathe::runtime::ptx
