#include "runtime/cpu/allowed_symbols.h"

#include <cmath>
#include <cstring>

// Of the compiler's runtime library; no header declares them.
extern "C" {
float __extendhfsf2(_Float16 value);
_Float16 __truncsfhf2(float value);
}

namespace lathe::runtime {

namespace {

template <class Result, class... Arguments>
void* address(Result (*function)(Arguments...)) {
  return reinterpret_cast<void*>(function);
}

}  // namespace

std::span<const AllowedSymbol> allowed_symbols() {
  static const AllowedSymbol symbols[] = {
      {"memcpy", address<void*, void*, const void*, std::size_t>(std::memcpy)},
      {"memmove", address<void*, void*, const void*, std::size_t>(std::memmove)},
      {"memset", address<void*, void*, int, std::size_t>(std::memset)},
      // x86-64 has square roots; rounding to integers needs SSE4.1, and exponentials are always calls.
      {"sqrtf", address<float, float>(::sqrtf)},
      {"floorf", address<float, float>(::floorf)},
      {"ceilf", address<float, float>(::ceilf)},
      {"truncf", address<float, float>(::truncf)},
      {"rintf", address<float, float>(::rintf)},
      {"fmaf", address<float, float, float, float>(::fmaf)},
      {"fma", address<double, double, double, double>(::fma)},
      {"expf", address<float, float>(::expf)},
      {"exp2f", address<float, float>(::exp2f)},
      {"logf", address<float, float>(::logf)},
      {"log2f", address<float, float>(::log2f)},
      {"powf", address<float, float, float>(::powf)},
      // LLVM turns pow(2, x) into exp2 and that, for integers, into ldexp.
      {"ldexpf", address<float, float, int>(::ldexpf)},
      {"sinf", address<float, float>(::sinf)},
      {"cosf", address<float, float>(::cosf)},
      {"sin", address<double, double>(::sin)},
      {"cos", address<double, double>(::cos)},
      // LLVM joins a sine and a cosine of the same angle.
      {"sincosf", address<void, float, float*, float*>(::sincosf)},
      {"sincos", address<void, double, double*, double*>(::sincos)},
      {"tanhf", address<float, float>(::tanhf)},
      // Without F16C these are calls into the compiler's runtime.
      {"__extendhfsf2", address(__extendhfsf2)},
      {"__truncsfhf2", address(__truncsfhf2)},
  };
  return symbols;
}

}  // namespace lathe::runtime
