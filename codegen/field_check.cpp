#include "codegen/field_check.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lathe::codegen {

std::string text_of(std::int64_t value) {
  return fmt::to_string(value);
}

std::string text_of(double value) {
  // Not fmt's: this is the shortest text that reads back as the same value, in every version.
  char digits[32];
  const auto [end, error] = std::to_chars(digits, std::end(digits), value);
  return {digits, end};
}

std::string text_of(DType value) {
  return std::string(name_of(value));
}

std::string text_of(const Allowed<std::int64_t>& allowed) {
  if (!allowed.powers_of_two) return fmt::format("{} to {}", allowed.min, allowed.max);
  std::string text = allowed.min == 0 ? "0" : "";
  for (std::int64_t value = 1; value <= allowed.max; value *= 2) {
    if (value < allowed.min) continue;
    if (!text.empty()) text += ", ";
    text += text_of(value);
  }
  return text;
}

std::string text_of(const Allowed<double>& allowed) {
  return fmt::format("{} to {}", text_of(allowed.min), text_of(allowed.max));
}

std::string text_of(const Allowed<DType>& allowed) {
  std::string text;
  for (const DType dtype : allowed.dtypes) {
    if (!text.empty()) text += ", ";
    text += name_of(dtype);
  }
  return text;
}

std::string text_of(const Allowed<std::string>& allowed) {
  return std::string(allowed.doc);
}

bool is_allowed(const Allowed<std::int64_t>& allowed, std::int64_t value) {
  if (value < allowed.min || value > allowed.max) return false;
  return !allowed.powers_of_two || value == 0 || std::has_single_bit(static_cast<std::uint64_t>(value));
}

bool is_allowed(const Allowed<double>& allowed, double value) {
  return value >= allowed.min && value <= allowed.max;
}

bool is_allowed(const Allowed<DType>& allowed, DType value) {
  return std::find(allowed.dtypes.begin(), allowed.dtypes.end(), value) != allowed.dtypes.end();
}

Error not_allowed(std::string_view op, std::string_view field, std::string_view value,
                  std::string_view allowed) {
  return {.code = ErrorCode::invalid_spec,
          .stage = Stage::validate,
          .message = fmt::format("{}: {} is {}, allowed are {}", op, field, value, allowed)};
}

}  // namespace lathe::codegen
