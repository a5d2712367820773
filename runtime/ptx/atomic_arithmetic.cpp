#include "runtime/ptx/atomic_arithmetic.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "runtime/ptx/half.h"

namespace lathe::runtime::ptx {

namespace {

using enum AtomicOperation;

constexpr std::pair<std::string_view, AtomicOperation> kNames[] = {
    {"exch", exchange}, {"cas", compare_and_swap}, {"add", add},
    {"inc", increment}, {"dec", decrement},        {"min", min},
    {"max", max},       {"and", bit_and},          {"or", bit_or},
    {"xor", bit_xor},
};

std::uint64_t kept(std::uint64_t value, unsigned bits) {
  return bits == 64 ? value : value & ((std::uint64_t{1} << bits) - 1);
}

std::int64_t extended(std::uint64_t value, unsigned bits) {
  return static_cast<std::int64_t>(value << (64 - bits)) >> (64 - bits);
}

std::uint64_t integer(AtomicOperation operation, Type type, std::uint64_t old, std::uint64_t a,
                      std::uint64_t b) {
  const unsigned bits = bits_of(type);
  const bool is_less = is_signed(type) ? extended(a, bits) < extended(old, bits) : a < old;
  switch (operation) {
    case exchange:
      return a;
    case compare_and_swap:
      return old == a ? b : old;
    case add:
      return old + a;
    case increment:
      return old >= a ? 0 : old + 1;
    case decrement:
      return old == 0 || old > a ? a : old - 1;
    case min:
      return is_less ? a : old;
    case max:
      return is_less ? old : a;
    case bit_and:
      return old & a;
    case bit_or:
      return old | a;
    case bit_xor:
      return old ^ a;
  }
  return old;
}

/// Of floats; the result of NaNs is the other operand.
template <class T>
T of_floats(AtomicOperation operation, T old, T a) {
  if (operation == add) return old + a;
  if (old != old) return a;
  if (a != a) return old;
  if (old == a) return std::signbit(old) == (operation == min) ? old : a;  // -0 is less than 0
  return (old < a) == (operation == min) ? old : a;
}

std::uint64_t of_f32(AtomicOperation operation, std::uint64_t old, std::uint64_t a) {
  const float result = of_floats(operation, std::bit_cast<float>(static_cast<std::uint32_t>(old)),
                                 std::bit_cast<float>(static_cast<std::uint32_t>(a)));
  return result != result ? kFloatNan : std::bit_cast<std::uint32_t>(result);
}

/// The sum of two halves is exact in double, and rounded once.
std::uint64_t of_half(AtomicOperation operation, bool is_bf16, std::uint64_t old, std::uint64_t a) {
  const auto widen = [&](std::uint64_t bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    return is_bf16 ? bf16_to_float(half) : f16_to_float(half);
  };
  const float result = of_floats(operation, widen(old), widen(a));
  return is_bf16 ? float_to_bf16(result) : float_to_f16(result);
}

}  // namespace

std::optional<AtomicOperation> atomic_operation_named(std::string_view name) {
  for (const auto& [each, operation] : kNames) {
    if (each == name) return operation;
  }
  return std::nullopt;
}

bool is_atomic(AtomicOperation operation, Type type) {
  using enum Type;
  switch (operation) {
    case exchange:
      return type == b32 || type == b64;
    case compare_and_swap:
      return type == b16 || type == b32 || type == b64;
    case bit_and:
    case bit_or:
    case bit_xor:
      return type == b32 || type == b64;
    case increment:
    case decrement:
      return type == u32;
    case add:
      if (type == u32 || type == s32 || type == u64 || type == f32 || type == f64) return true;
      return type == f16 || type == f16x2 || type == bf16 || type == bf16x2;
    case min:
    case max:
      if (type == u32 || type == s32 || type == u64 || type == s64 || type == f32) return true;
      return type == f16 || type == f16x2 || type == bf16 || type == bf16x2;
  }
  return false;
}

std::uint64_t flushed_f32(std::uint64_t bits) {
  return (bits & 0x7F800000u) == 0 ? bits & 0x80000000u : bits;
}

std::uint64_t combine(AtomicOperation operation, Type type, std::uint64_t old, std::uint64_t a,
                      std::uint64_t b) {
  const bool moves_bits = operation == exchange || operation == compare_and_swap;
  if (!is_floating(type) || moves_bits) return kept(integer(operation, type, old, a, b), bits_of(type));
  const bool is_bf16 = type == Type::bf16 || type == Type::bf16x2;
  switch (type) {
    case Type::f32:
      return of_f32(operation, old, a);
    case Type::f64:
      return std::bit_cast<std::uint64_t>(
          of_floats(operation, std::bit_cast<double>(old), std::bit_cast<double>(a)));
    case Type::f16:
    case Type::bf16:
      return of_half(operation, is_bf16, old, a);
    default:
      return of_half(operation, is_bf16, old, a) | of_half(operation, is_bf16, old >> 16, a >> 16) << 16;
  }
}

}  // namespace lathe::runtime::ptx
