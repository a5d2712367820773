// cvt of two values into one register or out of one, cvt to tf32, and cvt.pack.
#pragma once

#include "runtime/ptx/decoding.h"
#include "runtime/ptx/types.h"

namespace lathe::runtime::ptx {

bool is_packed_conversion(Type to, Type from);
/// The types are taken already.
Execute decode_packed_conversion(Decoding& d, Type to, Type from);
/// .pack is taken already.
Execute decode_saturating_pack(Decoding& d);

}  // namespace lathe::runtime::ptx
