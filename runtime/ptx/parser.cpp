#include "runtime/ptx/parser.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "runtime/base/try.h"
#include "runtime/ptx/parse_function.h"
#include "runtime/ptx/parse_variables.h"
#include "runtime/ptx/token_reader.h"

namespace lathe::runtime::ptx {

namespace {

/// Of all initialisers together: each alone may ask for more bytes than the text has.
constexpr std::size_t kMaxInitializedBytes = std::size_t{1} << 28;

/// Reads what stands outside of functions.
class ModuleParser {
 public:
  ModuleParser(OpenModule& open, TokenReader& reader) : open_(&open), reader_(&reader) {}

  Result<void> read();

 private:
  Result<void> read_version();
  Result<void> read_target();
  Result<void> read_address_size();
  Result<void> read_statement();
  Result<void> read_file();
  Result<void> skip_section();
  Result<void> read_symbol();
  Result<void> read_variables(bool is_extern);
  Result<void> declare(Variable variable, bool is_extern);

  OpenModule* open_;
  TokenReader* reader_;
  std::vector<bool> is_extern_;  ///< of each variable
  std::size_t initialized_bytes_ = 0;
};

Result<void> ModuleParser::read() {
  LATHE_CHECK(read_version());
  while (!reader_->at_end()) {
    reader_->start_statement();
    LATHE_CHECK(read_statement());
  }
  if (open_->module.target.empty()) return reader_->expected("`.target`");
  return {};
}

Result<void> ModuleParser::read_version() {
  LATHE_CHECK(reader_->expect(".version"));
  const std::string_view text = reader_->peek().text;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const std::size_t point = text.find('.');
  const bool is_version = (point == 1 || point == 2) && text.size() == point + 2 && is_digit(text[0]) &&
                          is_digit(text[point - 1]) && is_digit(text[point + 1]);
  if (!is_version) return reader_->expected("a version such as 9.0");
  for (const char c : text) {
    if (c != '.') open_->module.version = open_->module.version * 10 + static_cast<unsigned>(c - '0');
  }
  reader_->next();
  return {};
}

Result<void> ModuleParser::read_target() {
  LATHE_TRY(open_->module.target, reader_->expect_name("a target such as sm_90a"));
  while (reader_->take(",")) {
    LATHE_TRY([[maybe_unused]] const std::string_view option, reader_->expect_name("an option of .target"));
  }
  return {};
}

Result<void> ModuleParser::read_address_size() {
  const int line = reader_->peek().line;
  LATHE_TRY(const std::uint64_t size, reader_->expect_integer("an address size"));
  if (size == 64) return {};
  return reader_->error_at(line, fmt::format("addresses of {} bits are not supported", size));
}

Result<void> ModuleParser::read_statement() {
  if (reader_->take(".target")) return read_target();
  if (reader_->take(".address_size")) return read_address_size();
  if (reader_->take(".file")) return read_file();
  if (reader_->take(".section")) return skip_section();
  if (reader_->next_is(".pragma")) return skip_pragma(*reader_);
  if (reader_->take(";")) return {};
  return read_symbol();
}

/// `.file 1 "norm.cu"`, perhaps with a time and a size.
Result<void> ModuleParser::read_file() {
  const int line = reader_->peek().line;
  LATHE_TRY(const std::uint64_t number, reader_->expect_integer("the number of a file"));
  constexpr std::uint64_t kMaxNumber = 1 << 30;
  if (number > kMaxNumber) return reader_->error_at(line, fmt::format("number out of range: {}", number));
  if (reader_->peek().kind != Token::Kind::string) return reader_->expected("the name of a file");
  const std::string_view quoted = reader_->next().text;
  open_->module.files.emplace_back(static_cast<int>(number), quoted.substr(1, quoted.size() - 2));
  while (reader_->take(",")) {
    LATHE_TRY([[maybe_unused]] const std::uint64_t fact, reader_->expect_integer("a time or size"));
  }
  return {};
}

/// Debug information.
Result<void> ModuleParser::skip_section() {
  if (reader_->peek().kind == Token::Kind::directive) {
    reader_->next();
  } else {
    LATHE_TRY([[maybe_unused]] const std::string_view name, reader_->expect_name("the name of a section"));
  }
  return reader_->skip_braces();
}

Result<void> ModuleParser::read_symbol() {
  const bool is_extern = reader_->take(".extern");
  if (!is_extern && !reader_->take(".visible") && !reader_->take(".weak")) reader_->take(".common");
  if (reader_->next_is(".entry") || reader_->next_is(".func")) {
    return read_function(*reader_, *open_, is_extern);
  }
  if (space_of_directive(reader_->peek().text)) return read_variables(is_extern);
  if (reader_->next_is(".reg")) return reader_->error("registers outside of functions are not supported");
  return reader_->expected("a function, a variable or another directive of a module");
}

Result<void> ModuleParser::read_variables(bool is_extern) {
  if (reader_->next_is(".param")) return reader_->error("`.param` variables belong into functions");
  LATHE_TRY(std::vector<Variable> variables, ptx::read_variables(*reader_, open_->names, is_extern));
  for (Variable& variable : variables) {
    initialized_bytes_ += variable.initializer.size();
    if (initialized_bytes_ > kMaxInitializedBytes) {
      return reader_->error_at(variable.line, "number out of range: too many bytes in initialisers");
    }
    LATHE_CHECK(declare(std::move(variable), is_extern));
  }
  return {};
}

Result<void> ModuleParser::declare(Variable variable, bool is_extern) {
  std::vector<Variable>& variables = open_->module.variables;
  // Functions may own variables of the module too; nobody can define those again.
  is_extern_.resize(variables.size(), false);
  const auto [place, is_new] = open_->names.emplace(
      variable.name, Name{.kind = Name::Kind::module_variable, .index = variables.size()});
  if (is_new) {
    variables.push_back(std::move(variable));
    is_extern_.push_back(is_extern);
    return {};
  }
  const std::size_t index = place->second.index;
  const bool is_same_kind = place->second.kind == Name::Kind::module_variable &&
                            variables[index].space == variable.space &&
                            variables[index].type == variable.type;
  if (!is_same_kind || (!is_extern && !is_extern_[index])) {
    return reader_->error_at(variable.line, fmt::format("`{}` is declared twice", variable.name));
  }
  if (!is_extern) {
    variables[index] = std::move(variable);
    is_extern_[index] = false;
  }
  return {};
}

}  // namespace

Result<Module> parse(std::string text) {
  // NVRTC counts the terminating NUL as a part of its PTX.
  while (text.ends_with('\0')) text.pop_back();
  OpenModule open;
  open.module.text = std::make_unique<const std::string>(std::move(text));
  LATHE_TRY(std::vector<Token> tokens, tokens_of(*open.module.text));
  TokenReader reader(*open.module.text, std::move(tokens));
  LATHE_CHECK(ModuleParser(open, reader).read());
  return std::move(open.module);
}

}  // namespace lathe::runtime::ptx
