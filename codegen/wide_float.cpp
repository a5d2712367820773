#include "codegen/wide_float.h"

namespace lathe::codegen {

namespace {

/// 2 * atanh(z) = 2z (1 + z^2/3 + z^4/5 ...). For |z| up to 1/3: 36 terms are 113 bits and some.
WideFloat twice_atanh(WideFloat z) {
  const WideFloat square = z * z;
  WideFloat sum = 0;
  for (int i = 73; i > 0; i -= 2) sum = sum * square + static_cast<WideFloat>(1) / i;
  return 2 * z * sum;
}

WideFloat ln2() {
  return twice_atanh(static_cast<WideFloat>(1) / 3);
}

}  // namespace

WideFloat log_of(WideFloat value) {
  int exponent = 0;
  while (value > static_cast<WideFloat>(1.5)) {
    value /= 2;
    ++exponent;
  }
  while (value < static_cast<WideFloat>(0.75)) {
    value *= 2;
    --exponent;
  }
  return exponent * ln2() + twice_atanh((value - 1) / (value + 1));
}

WideFloat exp_of(WideFloat exponent) {
  const WideFloat unit = ln2();
  int twos = 0;
  // Rounded to nearest; the conversion truncates.
  twos = static_cast<int>(exponent / unit +
                          (exponent < 0 ? static_cast<WideFloat>(-0.5) : static_cast<WideFloat>(0.5)));
  const WideFloat rest = exponent - twos * unit;
  // At most ln(2) / 2: 28 terms.
  WideFloat result = 1;
  for (int i = 28; i > 0; --i) result = 1 + result * rest / i;
  for (; twos > 0; --twos) result *= 2;
  for (; twos < 0; ++twos) result /= 2;
  return result;
}

}  // namespace lathe::codegen
