// Arithmetic in the CPU's rounding modes: the independent opinion of what results in a direction are.
#pragma once

#include <cfenv>
#include <string_view>

#include "runtime/ptx/rounding.h"

namespace lathe::tests {

struct Direction {
  std::string_view name;  ///< of the modifier
  runtime::ptx::Rounding rounding;
  int mode;
};
constexpr Direction kDirections[] = {{"rn", runtime::ptx::Rounding::nearest_even, FE_TONEAREST},
                                     {"rz", runtime::ptx::Rounding::toward_zero, FE_TOWARDZERO},
                                     {"rm", runtime::ptx::Rounding::down, FE_DOWNWARD},
                                     {"rp", runtime::ptx::Rounding::up, FE_UPWARD}};

/// The value, where the compiler does not see it: what is computed with it is neither folded nor moved.
template <class T>
T hidden(T value) {
  volatile T copy = value;
  return copy;
}

/// compute(operands...) in a mode.
template <class Compute, class... T>
auto in_mode(int mode, Compute compute, T... operands) {
  std::fesetround(mode);
  const auto result = hidden(compute(hidden(operands)...));
  std::fesetround(FE_TONEAREST);
  return result;
}

}  // namespace lathe::tests
