#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

#include <fmt/format.h>

#include "runtime/base/try.h"
#include "runtime/ptx/parse_variables.h"

namespace lathe::runtime::ptx {

namespace {

/// Far more than the text of a kernel holds; keeps a damaged text from asking for the machine's memory.
constexpr std::size_t kMaxBytes = std::size_t{1} << 24;

class Initializer {
 public:
  Initializer(TokenReader& reader, const ModuleNames& names, const Dimensions& dimensions, Variable& variable)
      : reader_(&reader), names_(&names), dimensions_(&dimensions), variable_(&variable) {}

  Result<void> read();

 private:
  /// What begins at byte `at`: an array of dimensions[level...] or one element. No deeper than the
  /// dimensions.
  Result<void> read_part(std::size_t level, std::size_t at);
  Result<void> read_list(std::size_t level, std::size_t at);
  Result<void> read_element(std::size_t at);
  Result<void> read_address(std::size_t at);
  Result<std::uint64_t> element_bits();

  std::size_t bytes_of_part(std::size_t level) const;
  Result<void> reserve(std::size_t bytes);

  TokenReader* reader_;
  const ModuleNames* names_;
  const Dimensions* dimensions_;
  Variable* variable_;
};

Result<void> Initializer::read() {
  LATHE_CHECK(reserve(variable_->bytes));
  LATHE_CHECK(read_part(0, 0));
  variable_->bytes = variable_->initializer.size();
  if (variable_->bytes == 0) return reader_->error(fmt::format("`{}` has no size", variable_->name));
  return {};
}

Result<void> Initializer::reserve(std::size_t bytes) {
  if (bytes > kMaxBytes) {
    return reader_->error(
        fmt::format("number out of range: the initialiser of `{}` has too many bytes", variable_->name));
  }
  if (bytes > variable_->initializer.size()) variable_->initializer.resize(bytes);
  return {};
}

std::size_t Initializer::bytes_of_part(std::size_t level) const {
  std::size_t bytes = bytes_of(variable_->type);
  // Only the first dimension may be unknown, and that is never a part.
  for (; level < dimensions_->size(); ++level) bytes *= (*dimensions_)[level].value_or(1);
  return bytes;
}

Result<void> Initializer::read_part(std::size_t level, std::size_t at) {
  if (level == dimensions_->size()) return read_element(at);
  if (!reader_->next_is("{")) return reader_->expected("`{` of an array's initialiser");
  return read_list(level, at);
}

Result<void> Initializer::read_list(std::size_t level, std::size_t at) {
  LATHE_CHECK(reader_->expect("{"));
  if (reader_->take("}")) return {};
  const std::size_t stride = bytes_of_part(level + 1);
  const std::size_t limit = (*dimensions_)[level].value_or(std::numeric_limits<std::size_t>::max());
  std::size_t count = 0;
  do {
    if (count == limit) {
      return reader_->error(
          fmt::format("more than {} elements in the initialiser of `{}`", limit, variable_->name));
    }
    LATHE_CHECK(reserve(at + (count + 1) * stride));
    LATHE_CHECK(read_part(level + 1, at + count * stride));
    ++count;
  } while (reader_->take(","));
  return reader_->expect("}");
}

Result<void> Initializer::read_element(std::size_t at) {
  if (reader_->peek().kind == Token::Kind::identifier) return read_address(at);
  LATHE_TRY(const std::uint64_t bits, element_bits());
  // The targets of PTX are little endian, and so is every host.
  static_assert(std::endian::native == std::endian::little);
  const std::size_t bytes = bytes_of(variable_->type);
  if (bytes > sizeof bits) return reader_->error("initialisers of 128-bit variables are not supported");
  std::memcpy(variable_->initializer.data() + at, &bits, bytes);
  return {};
}

Result<std::uint64_t> Initializer::element_bits() {
  const int line = reader_->peek().line;
  const bool is_negative = reader_->next_is("-");
  LATHE_TRY(const Token number, reader_->expect_number("a number or the address of a variable"));
  const Type type = variable_->type;
  const unsigned bits = bits_of(type);
  const auto misfit = [&] {
    return reader_->error_at(
        line, fmt::format("number out of range: `{}` is no value of .{}", number.text, name_of(type)));
  };
  if (number.kind == Token::Kind::integer) {
    if (is_floating(type)) return misfit();
    if (bits >= 64) return number.bits;
    const std::uint64_t half = std::uint64_t{1} << (bits - 1);
    if (is_negative ? 0 - number.bits > half : number.bits >= 2 * half) return misfit();
    return number.bits;
  }
  const bool is_double = number.kind == Token::Kind::real64;
  if (type == Type::f32 && is_double) {
    return std::bit_cast<std::uint32_t>(static_cast<float>(std::bit_cast<double>(number.bits)));
  }
  if (type == Type::f64 && !is_double) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(number.bits));
    return std::bit_cast<std::uint64_t>(static_cast<double>(value));
  }
  if (bits != (is_double ? 64U : 32U)) return misfit();
  return number.bits;
}

Result<void> Initializer::read_address(std::size_t at) {
  const int line = reader_->peek().line;
  const bool is_generic = reader_->peek().text == "generic" && reader_->next_is("(", 1);
  if (is_generic) {
    reader_->next();
    reader_->next();
  }
  LATHE_TRY(const std::string_view name, reader_->expect_name("the name of a variable"));
  const auto found = names_->find(name);
  if (found == names_->end()) return reader_->error_at(line, fmt::format("unknown name `{}`", name));
  if (found->second.kind != Name::Kind::module_variable) {
    return reader_->error_at(line, fmt::format("the address of function `{}` is not supported", name));
  }
  if (is_generic) LATHE_CHECK(reader_->expect(")"));
  LATHE_TRY(const std::int64_t offset, reader_->offset());
  if (bits_of(variable_->type) != 64 || is_floating(variable_->type)) {
    return reader_->error_at(line, fmt::format("the address of `{}` needs an integer of 64 bits", name));
  }
  variable_->addresses.push_back({.at = at, .variable = found->second.index, .offset = offset});
  return {};
}

}  // namespace

Result<void> read_initializer(TokenReader& reader, const ModuleNames& names, const Dimensions& dimensions,
                              Variable& variable) {
  return Initializer(reader, names, dimensions, variable).read();
}

}  // namespace lathe::runtime::ptx
