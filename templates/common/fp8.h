// The fp8 formats in terms of float's bits, for conversions in integers. All arithmetic on them is the
// caller's.
#pragma once

/// Both formats are kept in the upper bits of a float's exponent and mantissa: shifted, they differ in the
/// exponent's bias only.
template <int kMantissaBits, int kBias>
struct Fp8Layout {
  static constexpr int kShift = 23 - kMantissaBits;
  static constexpr unsigned kNan = 0x7F;  ///< what narrowing makes of any NaN, as the GPU's instruction does
  /// The bits of the smallest number with a leading one, as a float.
  static constexpr unsigned kSmallestNormalFloat = static_cast<unsigned>(128 - kBias) << 23;
  /// Next to this power of two, floats are as far apart as the format's denormals: adding it rounds to them.
  static constexpr float kSpacedAsDenormals = static_cast<float>(1u << (24 - kBias - kMantissaBits));
  /// The magnitude of a normal number, to nearest even, in the format. Beyond the largest: more than that.
  template <class Word>
  static constexpr Word rounded_normal(Word magnitude) {
    return (magnitude - (static_cast<unsigned>(127 - kBias) << 23) + ((1u << (kShift - 1)) - 1u) +
            (magnitude >> kShift & 1u)) >>
           kShift;
  }
};

struct E4m3Format : Fp8Layout<3, 7> {
  static constexpr unsigned kLargest = 0x7E;  ///< above it only NaN
  static constexpr float kLargestValue = 448.0f;
  static constexpr float kRebias = 0x1p120f;
};

struct E5m2Format : Fp8Layout<2, 15> {
  static constexpr unsigned kLargest = 0x7B;  ///< above it infinity and NaN
  static constexpr float kLargestValue = 57344.0f;
  static constexpr float kRebias = 0x1p112f;
};
