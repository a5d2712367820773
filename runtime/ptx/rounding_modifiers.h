// Rounding modifiers of instructions.
#pragma once

#include <optional>

#include "runtime/ptx/decoding.h"
#include "runtime/ptx/rounding.h"

namespace lathe::runtime::ptx {

/// .rn, .rz, .rm or .rp, taken; nullopt if the instruction has none.
inline std::optional<Rounding> take_rounding(Decoding& d) {
  if (d.take("rn")) return Rounding::nearest_even;
  if (d.take("rz")) return Rounding::toward_zero;
  if (d.take("rm")) return Rounding::down;
  if (d.take("rp")) return Rounding::up;
  return std::nullopt;
}

/// .rni, .rzi, .rmi or .rpi: rounding to an integer.
inline std::optional<Rounding> take_integral_direction(Decoding& d) {
  if (d.take("rni")) return Rounding::nearest_even;
  if (d.take("rzi")) return Rounding::toward_zero;
  if (d.take("rmi")) return Rounding::down;
  if (d.take("rpi")) return Rounding::up;
  return std::nullopt;
}

}  // namespace lathe::runtime::ptx
