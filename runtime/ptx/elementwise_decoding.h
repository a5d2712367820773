// Decoding of elementwise instructions whose operands are those of a C++ function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "runtime/ptx/decoding.h"
#include "runtime/ptx/lanes.h"
#include "runtime/ptx/types.h"

namespace lathe::runtime::ptx {

/// Of a register that holds a T; a bool is a predicate.
template <class T>
constexpr unsigned kRegisterBits = std::is_same_v<T, bool> ? 1 : 8 * sizeof(T);

/// Whether the instruction has so many operands; a failure if not.
inline bool expect_operands(Decoding& d, std::size_t expected) {
  if (d.operands() == expected) return true;
  d.fail("the number of operands is not this instruction's");
  return false;
}

template <auto kFunction>
struct ElementwiseOperands;

template <class R, class... A, R (*kFunction)(A...)>
struct ElementwiseOperands<kFunction> {
  static void take(Decoding& d) { take(d, std::index_sequence_for<A...>{}); }

 private:
  template <std::size_t... kI>
  static void take(Decoding& d, std::index_sequence<kI...>) {
    if (!expect_operands(d, 1 + sizeof...(A))) return;
    d.output(0, kRegisterBits<R>);
    (d.input(1 + kI, kRegisterBits<A>), ...);
  }
};

/// The instruction is kFunction: the destination is its result, the sources are its arguments in order.
template <auto kFunction>
Execute decode_elementwise(Decoding& d) {
  ElementwiseOperands<kFunction>::take(d);
  return elementwise<kFunction>;
}

/// make.operator()<T>(), T being what an integer type of 32 or 64 bits is in C++; nullptr for other types.
template <class Make>
Execute for_word(Type type, Make make) {
  switch (type) {
    case Type::u32:
      return make.template operator()<std::uint32_t>();
    case Type::s32:
      return make.template operator()<std::int32_t>();
    case Type::u64:
      return make.template operator()<std::uint64_t>();
    case Type::s64:
      return make.template operator()<std::int64_t>();
    default:
      return nullptr;
  }
}

/// The same with the integer types of 16 bits.
template <class Make>
Execute for_integer(Type type, Make make) {
  if (type == Type::u16) return make.template operator()<std::uint16_t>();
  if (type == Type::s16) return make.template operator()<std::int16_t>();
  return for_word(type, make);
}

/// The same for the types without a meaning, b16 to b64.
template <class Make>
Execute for_bits(Type type, Make make) {
  switch (type) {
    case Type::b16:
      return make.template operator()<std::uint16_t>();
    case Type::b32:
      return make.template operator()<std::uint32_t>();
    case Type::b64:
      return make.template operator()<std::uint64_t>();
    default:
      return nullptr;
  }
}

}  // namespace lathe::runtime::ptx
