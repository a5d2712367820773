// Logic, shifts, bit fields and bit searches.
#include <cstdint>
#include <optional>

#include "runtime/ptx/bit_arithmetic.h"
#include "runtime/ptx/elementwise_decoding.h"
#include "runtime/ptx/elementwise_flag.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/predicate_logic.h"

namespace lathe::runtime::ptx {

namespace {

// Logic.

Execute decode_and(Decoding& d) {
  const Type type = d.take_type();
  if (type == Type::pred) return decode_predicate_logic(d, Logic::conjunction);
  return for_bits(type, [&]<class U>() { return decode_elementwise<bitwise::and_bits<U>>(d); });
}

Execute decode_or(Decoding& d) {
  const Type type = d.take_type();
  if (type == Type::pred) return decode_predicate_logic(d, Logic::disjunction);
  return for_bits(type, [&]<class U>() { return decode_elementwise<bitwise::or_bits<U>>(d); });
}

Execute decode_xor(Decoding& d) {
  const Type type = d.take_type();
  if (type == Type::pred) return decode_predicate_logic(d, Logic::exclusive);
  return for_bits(type, [&]<class U>() { return decode_elementwise<bitwise::xor_bits<U>>(d); });
}

Execute decode_not(Decoding& d) {
  const Type type = d.take_type();
  if (type == Type::pred) return decode_predicate_not(d);
  return for_bits(type, [&]<class U>() { return decode_elementwise<bitwise::not_bits<U>>(d); });
}

Execute decode_cnot(Decoding& d) {
  return for_bits(d.take_type(), [&]<class U>() { return decode_elementwise<bitwise::logical_not<U>>(d); });
}

/// `lop3.or.b32 d|p, a, b, c, table, q`: p is whether d is not zero, combined with q.
Execute decode_lop3_with_predicate(Decoding& d, Logic logic) {
  const auto outputs = Decoding::elements_of(d.operand(0));
  if (!expect_operands(d, 6) || outputs.size() != 2 || logic == Logic::exclusive) return nullptr;
  if (outputs[1]->kind == Operand::Kind::sink) return nullptr;
  d.output(*outputs[0], 32);
  d.output(*outputs[1], 1);
  for (std::size_t i = 1; i < 5; ++i) d.input(i, 32);
  d.input(5, 1);
  return logic == Logic::conjunction ? elementwise_flag<bitwise::look_up_3_and>
                                     : elementwise_flag<bitwise::look_up_3_or>;
}

Execute decode_lop3(Decoding& d) {
  const std::optional<Logic> logic = take_logic(d);
  if (d.take_type() != Type::b32) return nullptr;
  d.immediate(4);  // the table is no register
  return logic ? decode_lop3_with_predicate(d, *logic) : decode_elementwise<bitwise::look_up_3>(d);
}

// Shifts.

Execute decode_shl(Decoding& d) {
  return for_bits(d.take_type(), [&]<class U>() { return decode_elementwise<bitwise::shift_left<U>>(d); });
}

Execute decode_shr(Decoding& d) {
  const auto shift = [&]<class T>() { return decode_elementwise<bitwise::shift_right<T>>(d); };
  const Type type = d.take_type();
  const Execute of_bits = for_bits(type, shift);
  return of_bits != nullptr ? of_bits : for_integer(type, shift);
}

using bitwise::Mode;

std::optional<Mode> take_mode(Decoding& d) {
  if (d.take("clamp")) return Mode::clamp;
  if (d.take("wrap")) return Mode::wrap;
  return std::nullopt;
}

Execute decode_shf(Decoding& d) {
  const bool is_left = d.take("l");
  if (!is_left && !d.take("r")) return nullptr;
  const std::optional<Mode> mode = take_mode(d);
  if (!mode || d.take_type() != Type::b32) return nullptr;
  if (*mode == Mode::clamp) {
    return is_left ? decode_elementwise<bitwise::funnel_left<Mode::clamp>>(d)
                   : decode_elementwise<bitwise::funnel_right<Mode::clamp>>(d);
  }
  return is_left ? decode_elementwise<bitwise::funnel_left<Mode::wrap>>(d)
                 : decode_elementwise<bitwise::funnel_right<Mode::wrap>>(d);
}

// Bit fields.

Execute decode_bfe(Decoding& d) {
  return for_word(d.take_type(), [&]<class T>() { return decode_elementwise<bitwise::extract<T>>(d); });
}

Execute decode_bfi(Decoding& d) {
  const Type type = d.take_type();
  if (type == Type::b32) return decode_elementwise<bitwise::insert<std::uint32_t>>(d);
  return type == Type::b64 ? decode_elementwise<bitwise::insert<std::uint64_t>>(d) : nullptr;
}

Execute decode_bmsk(Decoding& d) {
  const std::optional<Mode> mode = take_mode(d);
  if (!mode || d.take_type() != Type::b32) return nullptr;
  return *mode == Mode::clamp ? decode_elementwise<bitwise::mask<Mode::clamp>>(d)
                              : decode_elementwise<bitwise::mask<Mode::wrap>>(d);
}

template <class T>
Execute decode_szext_of(Decoding& d, Mode mode) {
  return mode == Mode::clamp ? decode_elementwise<bitwise::extend<Mode::clamp, T>>(d)
                             : decode_elementwise<bitwise::extend<Mode::wrap, T>>(d);
}

Execute decode_szext(Decoding& d) {
  const std::optional<Mode> mode = take_mode(d);
  if (!mode) return nullptr;
  const Type type = d.take_type();
  if (type == Type::u32) return decode_szext_of<std::uint32_t>(d, *mode);
  return type == Type::s32 ? decode_szext_of<std::int32_t>(d, *mode) : nullptr;
}

// Counts and searches.

template <auto kOf32, auto kOf64>
Execute decode_search(Decoding& d) {
  const Type type = d.take_type();
  if (type == Type::b32) return decode_elementwise<kOf32>(d);
  return type == Type::b64 ? decode_elementwise<kOf64>(d) : nullptr;
}

Execute decode_bfind(Decoding& d) {
  const bool wants_shift = d.take("shiftamt");
  return for_word(d.take_type(), [&]<class T>() {
    return wants_shift ? decode_elementwise<bitwise::shift_to_leading<T>>(d)
                       : decode_elementwise<bitwise::find_leading<T>>(d);
  });
}

Execute decode_fns(Decoding& d) {
  return d.take_type() == Type::b32 ? decode_elementwise<bitwise::find_nth_set>(d) : nullptr;
}

// Byte permutations.

Execute decode_prmt(Decoding& d) {
  using bitwise::permute_by;
  if (d.take_type() != Type::b32) return nullptr;
  if (d.take("f4e")) return decode_elementwise<permute_by<bitwise::forward_4>>(d);
  if (d.take("b4e")) return decode_elementwise<permute_by<bitwise::backward_4>>(d);
  if (d.take("rc8")) return decode_elementwise<permute_by<bitwise::replicate_8>>(d);
  if (d.take("ecl")) return decode_elementwise<permute_by<bitwise::clamp_left>>(d);
  if (d.take("ecr")) return decode_elementwise<permute_by<bitwise::clamp_right>>(d);
  if (d.take("rc16")) return decode_elementwise<permute_by<bitwise::replicate_16>>(d);
  return decode_elementwise<bitwise::permute>(d);
}

}  // namespace

void add_bit_instructions(InstructionTable& table) {
  using std::uint32_t, std::uint64_t;
  table["and"] = {decode_and};
  table["or"] = {decode_or};
  table["xor"] = {decode_xor};
  table["not"] = {decode_not};
  table["cnot"] = {decode_cnot};
  table["lop3"] = {decode_lop3};
  table["shl"] = {decode_shl};
  table["shr"] = {decode_shr};
  table["shf"] = {decode_shf};
  table["bfe"] = {decode_bfe};
  table["bfi"] = {decode_bfi};
  table["bmsk"] = {decode_bmsk};
  table["szext"] = {decode_szext};
  table["brev"] = {decode_search<bitwise::reverse<uint32_t>, bitwise::reverse<uint64_t>>};
  table["popc"] = {decode_search<bitwise::count_ones<uint32_t>, bitwise::count_ones<uint64_t>>};
  table["clz"] = {
      decode_search<bitwise::count_leading_zeros<uint32_t>, bitwise::count_leading_zeros<uint64_t>>};
  table["bfind"] = {decode_bfind};
  table["fns"] = {decode_fns};
  table["prmt"] = {decode_prmt};
}

}  // namespace lathe::runtime::ptx
