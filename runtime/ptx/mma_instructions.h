// mma: the product of two small matrices that are spread over the registers of a warp.
#pragma once

#include "runtime/ptx/decoding.h"

namespace lathe::runtime::ptx {

Execute decode_mma(Decoding& decoding);

}  // namespace lathe::runtime::ptx
