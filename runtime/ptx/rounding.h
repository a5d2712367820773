// The rounding directions of PTX.
#pragma once

#include <cstdint>

namespace lathe::runtime::ptx {

enum class Rounding : std::uint8_t {
  nearest_even,  ///< .rn, .rni
  nearest_away,  ///< .rna: ties away from zero
  toward_zero,   ///< .rz, .rzi
  down,          ///< .rm, .rmi
  up,            ///< .rp, .rpi
};

/// What a result beyond the largest finite value becomes.
enum class Overflow : std::uint8_t {
  infinity,  ///< infinity or the largest finite value, as IEEE 754 has it for the direction
  saturate,  ///< .satfinite: the largest finite value of its sign; so does an infinite operand
};

}  // namespace lathe::runtime::ptx
