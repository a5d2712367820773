// WideFloat: a float of 113 bits whose results are the same on every machine, for what is rendered into
// kernels.
#pragma once

namespace lathe::codegen {

/// IEEE binary128, computed in software: what the C library's logl and powl give differs from one to the
/// next, and the text of a kernel is part of its key.
#if defined(__SIZEOF_FLOAT128__)
__extension__ typedef __float128 WideFloat;
#else
using WideFloat = long double;
#endif
static_assert(sizeof(WideFloat) == 16, "binary128, as __float128 or as long double");

inline constexpr WideFloat kPi = static_cast<WideFloat>(0x1.921fb54442d18p+1) +
                                 static_cast<WideFloat>(0x1.1a62633145c07p-53) +
                                 static_cast<WideFloat>(-0x1.f1976b7ed8fbcp-109);

/// Natural logarithm. REQUIRES: a finite value above 0.
WideFloat log_of(WideFloat value);

/// e to the power. REQUIRES: |exponent| below 10000.
WideFloat exp_of(WideFloat exponent);

/// REQUIRES: base above 0.
inline WideFloat power_of(WideFloat base, WideFloat exponent) {
  return exp_of(exponent * log_of(base));
}

}  // namespace lathe::codegen
