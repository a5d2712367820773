#include "runtime/ptx/arithmetic_dispatch.h"

#include <optional>
#include <string_view>

#include "runtime/ptx/float_instructions.h"
#include "runtime/ptx/integer_instructions.h"
#include "runtime/ptx/types.h"

namespace lathe::runtime::ptx {

namespace {

/// Whether the operands are floats; `add.f32.f16` names the result's type first.
bool has_float_operands(const Decoding& d) {
  std::optional<Type> last;
  for (const std::string_view modifier : d.rest()) {
    if (const auto type = type_named(modifier)) last = type;
  }
  return last && is_floating(*last);
}

template <Decode kInteger, Decode kFloat>
Execute decode_by_type(Decoding& d) {
  return has_float_operands(d) ? kFloat(d) : kInteger(d);
}

}  // namespace

void add_shared_arithmetic(InstructionTable& table) {
  table["add"] = {decode_by_type<decode_integer_add, decode_float_add>};
  table["sub"] = {decode_by_type<decode_integer_sub, decode_float_sub>};
  table["mul"] = {decode_by_type<decode_integer_mul, decode_float_mul>};
  table["mad"] = {decode_by_type<decode_integer_mad, decode_float_mad>};
  table["fma"] = {decode_float_fma};
  table["div"] = {decode_by_type<decode_integer_div, decode_float_div>};
  table["min"] = {decode_by_type<decode_integer_min, decode_float_min>};
  table["max"] = {decode_by_type<decode_integer_max, decode_float_max>};
  table["neg"] = {decode_by_type<decode_integer_neg, decode_float_neg>};
  table["abs"] = {decode_by_type<decode_integer_abs, decode_float_abs>};
}

}  // namespace lathe::runtime::ptx
