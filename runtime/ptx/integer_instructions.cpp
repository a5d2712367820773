#include "runtime/ptx/integer_instructions.h"

#include <cstdint>

#include "runtime/ptx/arithmetic_dispatch.h"
#include "runtime/ptx/carry_instructions.h"
#include "runtime/ptx/elementwise_decoding.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/integer_arithmetic.h"

namespace lathe::runtime::ptx {

namespace {

/// Saturation exists for s32 alone.
template <auto kFunction>
Execute decode_saturated(Decoding& d) {
  return d.take_type() == Type::s32 ? decode_elementwise<kFunction>(d) : nullptr;
}

/// Which part of a product is wanted.
enum class Part : std::uint8_t { none, low, high, wide };

Part take_part(Decoding& d) {
  if (d.take("lo")) return Part::low;
  if (d.take("hi")) return Part::high;
  return d.take("wide") ? Part::wide : Part::none;
}

struct Multiply {
  static constexpr bool kHasWide = true;
  template <class T>
  static constexpr auto kLow = integer::multiply_low<T>;
  template <class T>
  static constexpr auto kHigh = integer::multiply_high<T>;
  template <class T>
  static constexpr auto kWide = integer::multiply_wide<T>;
};

struct MultiplyAdd {
  static constexpr bool kHasWide = true;
  template <class T>
  static constexpr auto kLow = integer::multiply_low_add<T>;
  template <class T>
  static constexpr auto kHigh = integer::multiply_high_add<T>;
  template <class T>
  static constexpr auto kWide = integer::multiply_wide_add<T>;
};

struct Multiply24 {
  static constexpr bool kHasWide = false;
  template <class T>
  static constexpr auto kLow = integer::multiply_24_low<T>;
  template <class T>
  static constexpr auto kHigh = integer::multiply_24_high<T>;
};

struct MultiplyAdd24 {
  static constexpr bool kHasWide = false;
  template <class T>
  static constexpr auto kLow = integer::multiply_24_low_add<T>;
  template <class T>
  static constexpr auto kHigh = integer::multiply_24_high_add<T>;
};

template <class Product, class T>
Execute decode_part(Decoding& d, Part part) {
  if (part == Part::low) return decode_elementwise<Product::template kLow<T>>(d);
  if (part == Part::high) return decode_elementwise<Product::template kHigh<T>>(d);
  if constexpr (Product::kHasWide && sizeof(T) < 8) {
    if (part == Part::wide) return decode_elementwise<Product::template kWide<T>>(d);
  }
  return nullptr;
}

template <class Product>
Execute decode_product(Decoding& d, Part part) {
  return for_integer(d.take_type(), [&]<class T>() { return decode_part<Product, T>(d, part); });
}

template <class Product>
Execute decode_product_24(Decoding& d, Part part) {
  const Type type = d.take_type();
  if (type == Type::u32) return decode_part<Product, std::uint32_t>(d, part);
  return type == Type::s32 ? decode_part<Product, std::int32_t>(d, part) : nullptr;
}

Execute decode_mul24(Decoding& d) {
  return decode_product_24<Multiply24>(d, take_part(d));
}

Execute decode_mad24(Decoding& d) {
  const Part part = take_part(d);
  if (part == Part::high && d.take("sat"))
    return decode_saturated<integer::multiply_24_high_add_saturated>(d);
  return decode_product_24<MultiplyAdd24>(d, part);
}

struct Minimum {
  template <class T>
  static constexpr auto kPlain = integer::minimum<T>;
  template <class T>
  static constexpr auto kRelu = integer::minimum_relu<T>;
};

struct Maximum {
  template <class T>
  static constexpr auto kPlain = integer::maximum<T>;
  template <class T>
  static constexpr auto kRelu = integer::maximum_relu<T>;
};

template <class T, T (*kFunction)(T, T)>
Execute decode_halves(Decoding& d) {
  return decode_elementwise<integer::on_halves<T, kFunction>>(d);
}

template <class Extreme>
Execute decode_extreme(Decoding& d) {
  const bool is_relu = d.take("relu");
  const Type type = d.take_type();
  if (is_relu) {
    if (type == Type::s32) return decode_elementwise<Extreme::template kRelu<std::int32_t>>(d);
    if (type != Type::s16x2) return nullptr;
    return decode_halves<std::int16_t, Extreme::template kRelu<std::int16_t>>(d);
  }
  if (type == Type::u16x2) return decode_halves<std::uint16_t, Extreme::template kPlain<std::uint16_t>>(d);
  if (type == Type::s16x2) return decode_halves<std::int16_t, Extreme::template kPlain<std::int16_t>>(d);
  return for_integer(type, [&]<class T>() { return decode_elementwise<Extreme::template kPlain<T>>(d); });
}

Execute decode_sad(Decoding& d) {
  return for_integer(d.take_type(),
                     [&]<class T>() { return decode_elementwise<integer::absolute_difference_add<T>>(d); });
}

Execute decode_rem(Decoding& d) {
  return for_integer(d.take_type(), [&]<class T>() { return decode_elementwise<integer::remainder<T>>(d); });
}

/// Whether a part of a vector is signed.
enum class Sign : std::uint8_t { is_unsigned, is_signed, unknown };

Sign take_sign(Decoding& d) {
  const Type type = d.take_type();
  if (type == Type::u32) return Sign::is_unsigned;
  return type == Type::s32 ? Sign::is_signed : Sign::unknown;
}

/// dot.operator()<A, B>() with the signed or unsigned type that each of the instruction's two types says.
template <class UnsignedA, class SignedA, class Dot>
Execute for_dot(Decoding& d, Dot dot) {
  const Sign a = take_sign(d);
  const Sign b = take_sign(d);
  if (a == Sign::unknown || b == Sign::unknown) return nullptr;
  if (a == Sign::is_signed) {
    return b == Sign::is_signed ? dot.template operator()<SignedA, std::int8_t>()
                                : dot.template operator()<SignedA, std::uint8_t>();
  }
  return b == Sign::is_signed ? dot.template operator()<UnsignedA, std::int8_t>()
                              : dot.template operator()<UnsignedA, std::uint8_t>();
}

Execute decode_dp4a(Decoding& d) {
  return for_dot<std::uint8_t, std::int8_t>(
      d, [&]<class A, class B>() { return decode_elementwise<integer::dot_4<A, B>>(d); });
}

Execute decode_dp2a(Decoding& d) {
  const Part part = take_part(d);
  if (part != Part::low && part != Part::high) return nullptr;
  return for_dot<std::uint16_t, std::int16_t>(d, [&]<class A, class B>() {
    return part == Part::low ? decode_elementwise<integer::dot_2<A, B, 0>>(d)
                             : decode_elementwise<integer::dot_2<A, B, 2>>(d);
  });
}

}  // namespace

Execute decode_integer_add(Decoding& d) {
  if (d.take("cc")) return decode_add_cc(d);
  if (d.take("sat")) return decode_saturated<integer::add_saturated>(d);
  const Type type = d.take_type();
  if (type == Type::u16x2 || type == Type::s16x2) {
    return decode_halves<std::uint16_t, integer::add<std::uint16_t>>(d);
  }
  return for_integer(type, [&]<class T>() { return decode_elementwise<integer::add<T>>(d); });
}

Execute decode_integer_sub(Decoding& d) {
  if (d.take("cc")) return decode_sub_cc(d);
  if (d.take("sat")) return decode_saturated<integer::subtract_saturated>(d);
  return for_integer(d.take_type(), [&]<class T>() { return decode_elementwise<integer::subtract<T>>(d); });
}

Execute decode_integer_mul(Decoding& d) {
  return decode_product<Multiply>(d, take_part(d));
}

Execute decode_integer_mad(Decoding& d) {
  if (d.take("cc")) return decode_mad_cc(d);
  const Part part = take_part(d);
  if (part == Part::high && d.take("sat")) return decode_saturated<integer::multiply_high_add_saturated>(d);
  return decode_product<MultiplyAdd>(d, part);
}

Execute decode_integer_div(Decoding& d) {
  return for_integer(d.take_type(), [&]<class T>() { return decode_elementwise<integer::divide<T>>(d); });
}

Execute decode_integer_min(Decoding& d) {
  return decode_extreme<Minimum>(d);
}

Execute decode_integer_max(Decoding& d) {
  return decode_extreme<Maximum>(d);
}

Execute decode_integer_neg(Decoding& d) {
  const Type type = d.take_type();
  if (!is_signed(type)) return nullptr;
  return for_integer(type, [&]<class T>() { return decode_elementwise<integer::negate<T>>(d); });
}

Execute decode_integer_abs(Decoding& d) {
  const Type type = d.take_type();
  if (!is_signed(type)) return nullptr;
  return for_integer(type, [&]<class T>() { return decode_elementwise<integer::absolute<T>>(d); });
}

void add_integer_instructions(InstructionTable& table) {
  add_shared_arithmetic(table);
  table["addc"] = {decode_addc};
  table["subc"] = {decode_subc};
  table["madc"] = {decode_madc};
  table["mul24"] = {decode_mul24};
  table["mad24"] = {decode_mad24};
  table["sad"] = {decode_sad};
  table["rem"] = {decode_rem};
  table["dp4a"] = {decode_dp4a};
  table["dp2a"] = {decode_dp2a};
}

}  // namespace lathe::runtime::ptx
