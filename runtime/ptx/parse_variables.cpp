#include "runtime/ptx/parse_variables.h"

#include <bit>
#include <cstdint>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "runtime/base/try.h"

namespace lathe::runtime::ptx {

namespace {

/// No kernel has larger variables; a damaged text may ask for any number of bytes.
constexpr std::size_t kMaxBytes = std::size_t{1} << 30;
constexpr std::size_t kMaxAlign = 4096;
constexpr std::size_t kMaxDimensions = 8;

/// What stands before the names of a declaration.
struct Prefix {
  Space space = Space::global;
  std::optional<Type> type;
  std::optional<std::size_t> align;
  std::size_t vector = 1;  ///< 2 and 4 for `.v2` and `.v4`
};

Result<std::size_t> read_align(TokenReader& reader) {
  const int line = reader.peek().line;
  LATHE_TRY(const std::uint64_t align, reader.expect_integer("an alignment"));
  if (!std::has_single_bit(align) || align > kMaxAlign) {
    return reader.error_at(line, fmt::format("an alignment of {} bytes", align));
  }
  return align;
}

/// What it says of the pointer's target is of no use here.
Result<void> skip_pointer_attributes(TokenReader& reader) {
  if (space_of_directive(reader.peek().text)) reader.next();
  if (!reader.take(".align")) return {};
  LATHE_TRY([[maybe_unused]] const std::size_t align, read_align(reader));
  return {};
}

Result<Prefix> read_prefix(TokenReader& reader) {
  const std::optional<Space> space = space_of_directive(reader.peek().text);
  if (!space) return reader.expected("a state space such as `.global`");
  reader.next();
  Prefix prefix{.space = *space, .type = {}, .align = {}};
  while (reader.peek().kind == Token::Kind::directive) {
    if (reader.take(".align")) {
      LATHE_TRY(prefix.align, read_align(reader));
    } else if (reader.take(".v2") || reader.take(".v4")) {
      prefix.vector = reader.text_from(reader.position() - 1) == ".v2" ? 2 : 4;
    } else if (prefix.type && reader.take(".ptr")) {
      LATHE_CHECK(skip_pointer_attributes(reader));
    } else if (const auto type = type_named(reader.peek().text.substr(1));
               type && *type != Type::pred && !prefix.type) {
      prefix.type = type;
      reader.next();
    } else {
      return reader.expected("a type of a variable");
    }
  }
  if (!prefix.type) return reader.expected("a type of a variable");
  return prefix;
}

Result<Dimensions> read_dimensions(TokenReader& reader) {
  Dimensions dimensions;
  while (reader.take("[")) {
    if (dimensions.size() == kMaxDimensions) return reader.error("an array of too many dimensions");
    if (dimensions.empty() && reader.take("]")) {
      dimensions.emplace_back();
      continue;
    }
    const int line = reader.peek().line;
    LATHE_TRY(const std::uint64_t count, reader.expect_integer("a number of elements"));
    if (count == 0 || count > kMaxBytes) {
      return reader.error_at(line, fmt::format("number out of range: an array of {} elements", count));
    }
    dimensions.emplace_back(count);
    LATHE_CHECK(reader.expect("]"));
  }
  return dimensions;
}

/// The name and its brackets.
struct Declarator {
  Variable variable;
  Dimensions dimensions;
};

Result<Declarator> read_declarator(TokenReader& reader, const Prefix& prefix) {
  const int line = reader.peek().line;
  LATHE_TRY(const std::string_view name, reader.expect_name("the name of a variable"));
  LATHE_TRY(Dimensions dimensions, read_dimensions(reader));
  if (prefix.vector > 1) dimensions.emplace_back(prefix.vector);
  const std::size_t natural_align = bytes_of(*prefix.type) * prefix.vector;
  std::size_t bytes = bytes_of(*prefix.type);
  for (const auto& count : dimensions) {
    bytes *= count.value_or(0);
    if (bytes > kMaxBytes) {
      return reader.error_at(line, fmt::format("number out of range: `{}` has too many bytes", name));
    }
  }
  return Declarator{.variable = {.name = name,
                                 .space = prefix.space,
                                 .type = *prefix.type,
                                 .align = prefix.align.value_or(natural_align),
                                 .bytes = bytes,
                                 .initializer = {},
                                 .addresses = {},
                                 .line = line},
                    .dimensions = std::move(dimensions)};
}

}  // namespace

std::optional<Space> space_of_directive(std::string_view directive) {
  if (directive == ".global") return Space::global;
  if (directive == ".const") return Space::constant;
  if (directive == ".shared") return Space::shared;
  if (directive == ".local") return Space::local;
  if (directive == ".param") return Space::param;
  return std::nullopt;
}

Result<std::vector<Variable>> read_variables(TokenReader& reader, const ModuleNames& names, bool is_extern) {
  LATHE_TRY(const Prefix prefix, read_prefix(reader));
  std::vector<Variable> variables;
  do {
    LATHE_TRY(Declarator declarator, read_declarator(reader, prefix));
    Variable& variable = declarator.variable;
    const bool can_have_value = prefix.space == Space::global || prefix.space == Space::constant;
    if (reader.next_is("=")) {
      if (!can_have_value || is_extern) {
        return reader.error(fmt::format("`{}` cannot have an initialiser", variable.name));
      }
      reader.next();
      LATHE_CHECK(read_initializer(reader, names, declarator.dimensions, variable));
    } else if (variable.bytes == 0 && !is_extern) {
      return reader.error_at(variable.line, fmt::format("`{}` is not extern and has no size", variable.name));
    }
    variables.push_back(std::move(variable));
  } while (reader.take(","));
  LATHE_CHECK(reader.expect(";"));
  return variables;
}

Result<Variable> read_parameter(TokenReader& reader) {
  if (reader.next_is(".reg")) return reader.error("parameters in registers are not supported");
  if (!reader.next_is(".param")) return reader.expected("`.param`");
  LATHE_TRY(const Prefix prefix, read_prefix(reader));
  LATHE_TRY(Declarator declarator, read_declarator(reader, prefix));
  if (declarator.variable.bytes == 0) {
    return reader.error_at(declarator.variable.line, "parameters without a size are not supported");
  }
  return std::move(declarator.variable);
}

}  // namespace lathe::runtime::ptx
