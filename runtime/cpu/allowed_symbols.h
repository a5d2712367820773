// The functions of this process that CPU kernels may call.
#pragma once

#include <span>

namespace lathe::runtime {

struct AllowedSymbol {
  const char* name;
  void* address;
};

/// What LLVM itself may put into code that calls nothing: block moves for loops it recognises, libm for math
/// built-ins that have no instruction, and conversions of half precision where the processor has none.
std::span<const AllowedSymbol> allowed_symbols();

}  // namespace lathe::runtime
