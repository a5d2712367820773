// Element types of tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <lathe/export.h>

namespace lathe {

/// An element type. The names are those of specs ("bf16"), manifests and error messages.
enum class DType : std::uint8_t {
  f32,   ///< IEEE binary32
  f16,   ///< IEEE binary16
  bf16,  ///< bfloat16: the upper half of a binary32
  e4m3,  ///< fp8, 4 exponent and 3 mantissa bits, no infinity, largest value 448
  e5m2,  ///< fp8, 5 exponent and 2 mantissa bits, IEEE-like, largest value 57344
  i32,
  i64,
  u8,
};
using enum DType;

/// Bytes of one element.
constexpr std::size_t size_of(DType dtype) {
  switch (dtype) {
    case f32:
    case i32:
      return 4;
    case f16:
    case bf16:
      return 2;
    case e4m3:
    case e5m2:
    case u8:
      return 1;
    case i64:
      return 8;
  }
  return 0;
}

/// "f32", "bf16", ...
LATHE_API std::string_view name_of(DType dtype);

/// The inverse of `name_of`; also takes the long names float32, float16, bfloat16, float8_e4m3 and
/// float8_e5m2.
LATHE_API std::optional<DType> parse_dtype(std::string_view name);

}  // namespace lathe
