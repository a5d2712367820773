// Types of PTX values.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace lathe::runtime::ptx {

/// As PTX spells them, without the point.
enum class Type : std::uint8_t {
  pred,
  b8,
  b16,
  b32,
  b64,
  b128,
  u8,
  u16,
  u32,
  u64,
  s8,
  s16,
  s32,
  s64,
  f16,
  f16x2,
  bf16,
  bf16x2,
  tf32,
  f32,
  f32x2,
  f64,
  e4m3,
  e5m2,
  e4m3x2,
  e5m2x2,
  u16x2,
  s16x2,
};  // clang-format: one line a family

/// nullopt: not a type.
std::optional<Type> type_named(std::string_view name);
std::string_view name_of(Type type);

/// Of one value; a predicate has 1.
unsigned bits_of(Type type);
inline unsigned bytes_of(Type type) {
  return bits_of(type) / 8;
}

bool is_signed(Type type);    ///< s8 to s64, s16x2
bool is_floating(Type type);  ///< f16 to e5m2x2

/// Where a variable or an address lives.
enum class Space : std::uint8_t { generic, global, constant, shared, shared_cluster, local, param };

std::string_view name_of(Space space);

}  // namespace lathe::runtime::ptx
