// Tensors of pseudo-random numbers for commands that run and time kernels.
#pragma once

#include <cstddef>
#include <vector>

#include <lathe/buffer.h>
#include <lathe/dtype.h>
#include <lathe/error.h>
#include <lathe/runtime.h>

namespace lathe::tools {

/// Normally distributed around 0, the same for the same seed. A prime number of them repeats, so that rows
/// differ and large tensors are quick to make.
std::vector<std::byte> random_elements(DType dtype, std::size_t count, unsigned seed, double deviation = 1);

/// A copy on the device. Errors: out_of_memory.
Result<Buffer> upload(Runtime& runtime, const std::vector<std::byte>& elements);

}  // namespace lathe::tools
