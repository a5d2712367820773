// A look at a cubin's outside before the driver sees it: the driver trusts the sizes that it finds in there.
#pragma once

#include <cstddef>
#include <span>

#include <lathe/error.h>

namespace lathe::runtime::cuda {

/// Checks that the bytes are a 64-bit ELF file for NVIDIA GPUs and that all its tables lie inside it. Errors:
/// load_failed saying what was expected and found.
Result<void> check_cubin(std::span<const std::byte> bytes);

}  // namespace lathe::runtime::cuda
