#include "runtime/ptx/carry_instructions.h"

#include "runtime/ptx/elementwise_decoding.h"
#include "runtime/ptx/elementwise_flag.h"
#include "runtime/ptx/integer_arithmetic.h"

namespace lathe::runtime::ptx {

namespace {

/// kFunction without its carry out.
template <auto kFunction>
struct WithoutFlag;

template <class T, class... A, Flagged<T> (*kFunction)(A...)>
struct WithoutFlag<kFunction> {
  static T value(A... arguments) { return kFunction(arguments...).value; }
};

enum class CarryIn : bool { no, yes };

/// kFunction takes `sources` values of type T and a carry, and gives a carry.
template <auto kFunction, class T>
Execute with_carry(Decoding& d, std::size_t sources, CarryIn carry_in, bool has_carry_out) {
  if (!expect_operands(d, 1 + sources)) return nullptr;
  d.output(0, kRegisterBits<T>);
  if (has_carry_out) d.carry_output();
  for (std::size_t i = 1; i <= sources; ++i) d.input(i, kRegisterBits<T>);
  if (carry_in == CarryIn::yes) {
    d.carry_input();
  } else {
    d.constant_input(0, 1);
  }
  return has_carry_out ? elementwise_flag<kFunction> : elementwise<WithoutFlag<kFunction>::value>;
}

Execute decode_add(Decoding& d, CarryIn carry_in, bool has_carry_out) {
  return for_word(d.take_type(), [&]<class T>() {
    return with_carry<integer::add_with_carry<T>, T>(d, 2, carry_in, has_carry_out);
  });
}

Execute decode_sub(Decoding& d, CarryIn carry_in, bool has_carry_out) {
  return for_word(d.take_type(), [&]<class T>() {
    return with_carry<integer::subtract_with_borrow<T>, T>(d, 2, carry_in, has_carry_out);
  });
}

Execute decode_mad(Decoding& d, CarryIn carry_in, bool has_carry_out) {
  const bool is_high = d.take("hi");
  if (!is_high && !d.take("lo")) return nullptr;
  return for_word(d.take_type(), [&]<class T>() {
    return is_high ? with_carry<integer::multiply_high_add_with_carry<T>, T>(d, 3, carry_in, has_carry_out)
                   : with_carry<integer::multiply_low_add_with_carry<T>, T>(d, 3, carry_in, has_carry_out);
  });
}

}  // namespace

Execute decode_add_cc(Decoding& d) {
  return decode_add(d, CarryIn::no, true);
}

Execute decode_sub_cc(Decoding& d) {
  return decode_sub(d, CarryIn::no, true);
}

Execute decode_mad_cc(Decoding& d) {
  return decode_mad(d, CarryIn::no, true);
}

Execute decode_addc(Decoding& d) {
  return decode_add(d, CarryIn::yes, d.take("cc"));
}

Execute decode_subc(Decoding& d) {
  return decode_sub(d, CarryIn::yes, d.take("cc"));
}

Execute decode_madc(Decoding& d) {
  return decode_mad(d, CarryIn::yes, d.take("cc"));
}

}  // namespace lathe::runtime::ptx
