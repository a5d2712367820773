// Decoding of wgmma.mma_async.
#pragma once

#include "runtime/ptx/decoding.h"

namespace lathe::runtime::ptx {

/// Reads all but the opcode's `.mma_async`; the step's facts are WgmmaFacts. False if it failed.
bool decode_wgmma_product(Decoding& decoding);

/// wgmma is there for sm_90a only.
void require_wgmma_target(Decoding& decoding);

}  // namespace lathe::runtime::ptx
