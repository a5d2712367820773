#include "runtime/ptx/parse_function.h"

#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "runtime/base/try.h"
#include "runtime/ptx/parse_variables.h"

namespace lathe::runtime::ptx {

namespace {

/// `(` parameters `)`, if there is one.
Result<std::size_t> read_parameters(TokenReader& reader, std::vector<Variable>& variables) {
  const std::size_t before = variables.size();
  if (!reader.take("(") || reader.take(")")) return std::size_t{0};
  do {
    LATHE_TRY(Variable parameter, read_parameter(reader));
    variables.push_back(std::move(parameter));
  } while (reader.take(","));
  LATHE_CHECK(reader.expect(")"));
  return variables.size() - before;
}

/// `256, 1, 1`: one to three counts, multiplied.
Result<unsigned> read_product(TokenReader& reader) {
  const int line = reader.peek().line;
  std::uint64_t product = 1;
  int factors = 0;
  do {
    LATHE_TRY(const std::uint64_t factor, reader.expect_integer("a number"));
    constexpr std::uint64_t kMax = std::numeric_limits<unsigned>::max();
    if (factor == 0 || factor > kMax || product * factor > kMax || ++factors > 3) {
      return reader.error_at(line, "number out of range: up to three positive counts were expected");
    }
    product *= factor;
  } while (reader.take(","));
  return static_cast<unsigned>(product);
}

Result<unsigned> read_count(TokenReader& reader) {
  const int line = reader.peek().line;
  LATHE_TRY(const std::uint64_t count, reader.expect_integer("a number"));
  if (count > std::numeric_limits<unsigned>::max()) return reader.error_at(line, "number out of range");
  return static_cast<unsigned>(count);
}

bool is_ignored(std::string_view directive) {
  return directive == ".noreturn" || directive == ".explicitcluster" || directive == ".blocksareclusters";
}

/// Followed by a number that is of no use here.
bool is_ignored_number(std::string_view directive) {
  return directive == ".maxnctapersm" || directive == ".maxclusterrank" || directive == ".abi_preserve" ||
         directive == ".abi_preserve_control";
}

/// What stands between the parameters and the body.
Result<void> read_performance_directives(TokenReader& reader, Function& function) {
  while (reader.peek().kind == Token::Kind::directive) {
    if (reader.take(".maxntid") || reader.take(".reqntid")) {
      LATHE_TRY(function.max_threads, read_product(reader));
    } else if (reader.take(".reqnctapercluster")) {
      LATHE_TRY(function.required_cluster, read_product(reader));
    } else if (reader.take(".maxnreg")) {
      LATHE_TRY(function.max_registers, read_count(reader));
    } else if (reader.take(".minnctapersm")) {
      LATHE_TRY(function.min_blocks, read_count(reader));
    } else if (reader.next_is(".pragma")) {
      LATHE_CHECK(skip_pragma(reader));
    } else if (is_ignored(reader.peek().text)) {
      reader.next();
    } else if (is_ignored_number(reader.peek().text)) {
      reader.next();
      LATHE_TRY([[maybe_unused]] const std::uint64_t number, reader.expect_integer("a number"));
    } else {
      return reader.expected("a directive of a function, or its body");
    }
  }
  return {};
}

/// Results stand before the name in the text, but behind the parameters in `variables`.
Result<Function> read_signature(TokenReader& reader) {
  Function function;
  function.is_entry = reader.next().text == ".entry";
  std::vector<Variable> results;
  if (!function.is_entry) {
    LATHE_TRY(function.results, read_parameters(reader, results));
  }
  function.line = reader.peek().line;
  LATHE_TRY(function.name, reader.expect_name("the name of a function"));
  LATHE_TRY(function.parameters, read_parameters(reader, function.variables));
  function.variables.insert(function.variables.end(), results.begin(), results.end());
  LATHE_CHECK(read_performance_directives(reader, function));
  return function;
}

/// Its index, whether it is new or was declared before.
Result<std::size_t> declare(TokenReader& reader, OpenModule& open, Function function) {
  std::vector<Function>& functions = open.module.functions;
  const auto [place, is_new] =
      open.names.emplace(function.name, Name{.kind = Name::Kind::function, .index = functions.size()});
  const std::size_t index = place->second.index;
  if (is_new) {
    functions.push_back(std::move(function));
    return index;
  }
  if (place->second.kind != Name::Kind::function) {
    return reader.error_at(function.line, fmt::format("`{}` is declared twice", function.name));
  }
  const Function& known = functions[index];
  if (known.is_entry != function.is_entry || known.parameters != function.parameters ||
      known.results != function.results) {
    return reader.error_at(function.line,
                           fmt::format("`{}` was declared otherwise in line {}", function.name, known.line));
  }
  return index;
}

}  // namespace

Result<void> skip_pragma(TokenReader& reader) {
  LATHE_CHECK(reader.expect(".pragma"));
  do {
    if (reader.peek().kind != Token::Kind::string) return reader.expected("a string");
    reader.next();
  } while (reader.take(","));
  return reader.expect(";");
}

Result<void> read_function(TokenReader& reader, OpenModule& open, bool is_extern) {
  LATHE_TRY(Function function, read_signature(reader));
  // Before the body, so that it may call itself.
  LATHE_TRY(const std::size_t index, declare(reader, open, function));
  if (reader.take(";")) return {};
  if (is_extern || !reader.next_is("{")) {
    return reader.expected(is_extern ? "`;` of an extern function" : "`;` or `{` of a function");
  }
  if (open.module.functions[index].is_defined) {
    return reader.error_at(function.line, fmt::format("`{}` is defined twice", function.name));
  }
  function.is_defined = true;
  LATHE_CHECK(read_body(reader, open, function));
  open.module.functions[index] = std::move(function);
  return {};
}

}  // namespace lathe::runtime::ptx
