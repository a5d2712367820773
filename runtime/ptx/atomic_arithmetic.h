// What atom, red and redux compute.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "runtime/ptx/types.h"

namespace lathe::runtime::ptx {

enum class AtomicOperation : std::uint8_t {
  exchange,
  compare_and_swap,
  add,
  increment,
  decrement,
  min,
  max,
  bit_and,
  bit_or,
  bit_xor,
};

/// "exch", "cas", "add" ...
std::optional<AtomicOperation> atomic_operation_named(std::string_view name);

/// Whether the ISA has the operation for the type.
bool is_atomic(AtomicOperation operation, Type type);

/// The new value. Values are bits of the type in the lower part. For compare_and_swap `a` is what is compared
/// with, `b` the new value; else `b` is not used.
std::uint64_t combine(AtomicOperation operation, Type type, std::uint64_t old, std::uint64_t a,
                      std::uint64_t b);

/// Denormals become zeros of their sign: what additions of f32 in global memory do.
std::uint64_t flushed_f32(std::uint64_t bits);

}  // namespace lathe::runtime::ptx
