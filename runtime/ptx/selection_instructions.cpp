#include "runtime/ptx/selection_instructions.h"

#include <cstdint>

#include "runtime/ptx/comparison.h"
#include "runtime/ptx/elementwise_decoding.h"
#include "runtime/ptx/predicate_logic.h"

namespace lathe::runtime::ptx {

namespace {

/// The type without a meaning that is as wide; pred if it is none that can be selected.
Type bits_type(Type type) {
  const bool is_selectable =
      (type >= Type::b16 && type <= Type::b64) || (type >= Type::u16 && type <= Type::u64) ||
      (type >= Type::s16 && type <= Type::s64) || type == Type::f32 || type == Type::f64;
  if (!is_selectable) return Type::pred;
  return bits_of(type) == 16 ? Type::b16 : bits_of(type) == 32 ? Type::b32 : Type::b64;
}

/// Only the side that is taken must be defined.
template <class U>
void execute_selp(Warp& warp, const Step& step) {
  const KnownMask choice = read_mask(warp, step.input(2));
  const LaneMask defined =
      (choice.value & warp.defined(step.input(0))) | (~choice.value & warp.defined(step.input(1)));
  const U* a = warp.lanes<U>(step.input(0));
  const U* b = warp.lanes<U>(step.input(1));
  U* out = warp.lanes<U>(step.output(0));
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    if ((warp.active() >> lane & 1) != 0) out[lane] = (choice.value >> lane & 1) != 0 ? a[lane] : b[lane];
  }
  warp.set_defined(step.output(0), choice.defined & defined);
}

template <class T>
Execute decode_testp_of(Decoding& d) {
  if (d.take("finite")) return decode_elementwise<comparison::is_finite<T>>(d);
  if (d.take("infinite")) return decode_elementwise<comparison::is_infinite<T>>(d);
  if (d.take("number")) return decode_elementwise<comparison::is_number<T>>(d);
  if (d.take("notanumber")) return decode_elementwise<comparison::is_not_a_number<T>>(d);
  if (d.take("normal")) return decode_elementwise<comparison::is_normal<T>>(d);
  return d.take("subnormal") ? decode_elementwise<comparison::is_subnormal<T>>(d) : nullptr;
}

}  // namespace

Execute decode_selp(Decoding& d) {
  const Type type = bits_type(d.take_type());
  if (!expect_operands(d, 4)) return nullptr;
  d.output(0, bits_of(type));
  d.input(1, bits_of(type));
  d.input(2, bits_of(type));
  d.input(3, 1);
  d.step.tracks_definedness_itself = true;
  return for_bits(type, []<class U>() -> Execute { return execute_selp<U>; });
}

Execute decode_slct(Decoding& d) {
  const Type selected = bits_type(d.take_type());
  const Type sign = d.take_type();
  if (sign == Type::s32) {
    return for_bits(selected, [&]<class U>() {
      return decode_elementwise<comparison::select_by_sign<U, std::int32_t>>(d);
    });
  }
  if (sign != Type::f32) return nullptr;
  const bool is_flushed = d.take("ftz");
  return for_bits(selected, [&]<class U>() {
    return is_flushed ? decode_elementwise<comparison::select_by_flushed_sign<U>>(d)
                      : decode_elementwise<comparison::select_by_sign<U, float>>(d);
  });
}

Execute decode_testp(Decoding& d) {
  const Type type = d.take_type();
  if (type == Type::f32) return decode_testp_of<float>(d);
  return type == Type::f64 ? decode_testp_of<double>(d) : nullptr;
}

}  // namespace lathe::runtime::ptx
