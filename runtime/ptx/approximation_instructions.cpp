#include "runtime/ptx/approximation_instructions.h"

#include "runtime/ptx/approximations.h"
#include "runtime/ptx/float_forms.h"

namespace lathe::runtime::ptx {

namespace {

template <double (*kFunction)(double), bool kFlushes, class T>
Execute approximation_of() {
  return of_elements<T, 1, &approximation<kFunction, kFlushes, Element<T>>>;
}

/// f32, with or without .ftz.
template <double (*kFunction)(double)>
Execute of_single(bool flushes) {
  return flushes ? approximation_of<kFunction, true, float>() : approximation_of<kFunction, false, float>();
}

/// .approx must be there where it is the only form.
bool take_approx(Decoding& d) {
  const bool is_there = d.take("approx");
  if (!is_there) d.fail("the modifier .approx is missing");
  return is_there;
}

/// Functions that only f32 has.
template <double (*kFunction)(double)>
Execute decode_of_single(Decoding& d) {
  const bool flushes = d.take("ftz");
  const Type type = d.take_type();
  take_same_operands(d, 1, type);
  return type == Type::f32 ? of_single<kFunction>(flushes) : nullptr;
}

template <double (*kFunction)(double)>
Execute decode_only_approximate(Decoding& d) {
  return take_approx(d) ? decode_of_single<kFunction>(d) : nullptr;
}

template <float (*kFunction)(float, float), bool kFlushes>
float quotient(float a, float b) {
  return kFlushes ? flushed(kFunction(flushed(a), flushed(b))) : kFunction(a, b);
}

template <float (*kFunction)(float, float)>
Execute decode_quotient(Decoding& d) {
  const bool flushes = d.take("ftz");
  const Type type = d.take_type();
  take_same_operands(d, 2, type);
  if (type != Type::f32) return nullptr;
  return flushes ? elementwise<&quotient<kFunction, true>> : elementwise<&quotient<kFunction, false>>;
}

Execute decode_rsqrt(Decoding& d) {
  if (!take_approx(d)) return nullptr;
  const bool flushes = d.take("ftz");
  const Type type = d.take_type();
  take_same_operands(d, 1, type);
  if (type == Type::f32) return of_single<reciprocal_root_of>(flushes);
  if (type != Type::f64) return nullptr;
  return flushes ? elementwise<&gross_reciprocal_root>
                 : approximation_of<reciprocal_root_of, false, double>();
}

/// Of the half types, bf16 flushes always and f16 never.
Execute decode_ex2(Decoding& d) {
  if (!take_approx(d)) return nullptr;
  const bool flushes = d.take("ftz");
  const Type type = d.take_type();
  take_same_operands(d, 1, type);
  if (type == Type::f32) return of_single<power_of_two>(flushes);
  if (flushes) {
    if (type == Type::bf16) return approximation_of<power_of_two, true, Bf16>();
    if (type == Type::bf16x2) return approximation_of<power_of_two, true, Pair<Bf16>>();
    return nullptr;
  }
  if (type == Type::f16) return approximation_of<power_of_two, false, F16>();
  if (type == Type::f16x2) return approximation_of<power_of_two, false, Pair<F16>>();
  return nullptr;
}

Execute decode_tanh(Decoding& d) {
  if (!take_approx(d)) return nullptr;
  const Type type = d.take_type();
  take_same_operands(d, 1, type);
  return for_float(type, []<class T>() -> Execute {
    if (std::is_same_v<T, double> || std::is_same_v<T, Pair<float>>) return nullptr;
    return approximation_of<tangent_of, false, T>();
  });
}

}  // namespace

Execute decode_approximate_quotient(Decoding& d) {
  return decode_quotient<approximate_quotient>(d);
}

Execute decode_full_range_quotient(Decoding& d) {
  return decode_quotient<full_range_quotient>(d);
}

Execute decode_approximate_reciprocal(Decoding& d) {
  const bool flushes = d.take("ftz");
  const Type type = d.take_type();
  take_same_operands(d, 1, type);
  if (type == Type::f64 && flushes) return elementwise<&gross_reciprocal>;
  return type == Type::f32 ? of_single<reciprocal_of>(flushes) : nullptr;
}

Execute decode_approximate_square_root(Decoding& d) {
  return decode_of_single<square_root_of>(d);
}

void add_approximation_instructions(InstructionTable& table) {
  constexpr auto kSpecial = StepClass::special_function;
  table["rsqrt"] = {decode_rsqrt, kSpecial};
  table["sin"] = {decode_only_approximate<sine_of>, kSpecial};
  table["cos"] = {decode_only_approximate<cosine_of>, kSpecial};
  table["lg2"] = {decode_only_approximate<logarithm_of>, kSpecial};
  table["ex2"] = {decode_ex2, kSpecial};
  table["tanh"] = {decode_tanh, kSpecial};
}

}  // namespace lathe::runtime::ptx
