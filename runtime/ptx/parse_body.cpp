// The body of a function: declarations, labels and nested scopes. parse_instruction.cpp has the instructions.
#include <cstdint>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "runtime/base/try.h"
#include "runtime/ptx/parse_function.h"
#include "runtime/ptx/parse_instruction.h"
#include "runtime/ptx/parse_variables.h"

namespace lathe::runtime::ptx {

namespace {

constexpr std::size_t kMaxDepth = 64;
constexpr std::uint64_t kMaxRegisters = std::uint64_t{1} << 31;
constexpr std::uint64_t kMaxSourceNumber = std::uint64_t{1} << 30;

class BodyParser {
 public:
  BodyParser(TokenReader& reader, OpenModule& open, Function& function)
      : reader_(&reader),
        open_(&open),
        function_(&function),
        scopes_(open.names, function.registers),
        instructions_(reader, scopes_, open.module, function) {}

  Result<void> read();

 private:
  Result<void> declare_parameters();
  Result<void> read_statement();
  Result<void> open_scope();
  Result<void> read_directive();
  Result<void> read_registers();
  Result<void> declare_registers(Type type);
  Result<void> read_variables(bool is_extern);
  Result<void> read_location();
  Result<int> read_location_number();
  Result<SourceLine> read_source_line();
  Result<void> read_label();
  Result<void> read_branch_targets(std::string_view name);

  TokenReader* reader_;
  OpenModule* open_;
  Function* function_;
  Scopes scopes_;
  InstructionReader instructions_;
};

Result<void> BodyParser::read() {
  LATHE_CHECK(declare_parameters());
  LATHE_CHECK(reader_->expect("{"));
  for (;;) {
    reader_->start_statement();
    if (!reader_->take("}")) {
      LATHE_CHECK(read_statement());
      continue;
    }
    if (scopes_.depth() == 0) break;
    scopes_.close();
  }
  return instructions_.resolve_labels();
}

Result<void> BodyParser::declare_parameters() {
  for (std::size_t i = 0; i < function_->variables.size(); ++i) {
    const Variable& variable = function_->variables[i];
    if (!scopes_.declare(variable.name, {.kind = Name::Kind::local_variable, .index = i})) {
      return reader_->error_at(variable.line, fmt::format("`{}` is declared twice", variable.name));
    }
  }
  return {};
}

Result<void> BodyParser::read_statement() {
  if (reader_->next_is("{")) return open_scope();
  if (reader_->take(";")) return {};
  if (reader_->peek().kind == Token::Kind::directive) return read_directive();
  if (reader_->peek().kind == Token::Kind::identifier && reader_->next_is(":", 1)) return read_label();
  if (reader_->peek().kind == Token::Kind::identifier || reader_->next_is("@")) return instructions_.read();
  return reader_->expected("an instruction");
}

Result<void> BodyParser::open_scope() {
  if (scopes_.depth() == kMaxDepth) {
    return reader_->error(fmt::format("scopes nested more than {} deep", kMaxDepth));
  }
  reader_->next();
  scopes_.open();
  return {};
}

Result<void> BodyParser::read_directive() {
  if (reader_->take(".reg")) return read_registers();
  if (reader_->take(".loc")) return read_location();
  if (reader_->next_is(".pragma")) return skip_pragma(*reader_);
  const bool is_extern = reader_->take(".extern");
  if (space_of_directive(reader_->peek().text)) return read_variables(is_extern);
  if (reader_->next_is(".callprototype") || reader_->next_is(".calltargets")) {
    return reader_->error("calls through pointers are not supported");
  }
  return reader_->expected("an instruction or a declaration");
}

/// `.reg .b32 %r<50>, remote;`
Result<void> BodyParser::read_registers() {
  const Token& token = reader_->peek();
  if (token.text == ".v2" || token.text == ".v4") return reader_->error("vector registers are not supported");
  const auto type = token.kind == Token::Kind::directive ? type_named(token.text.substr(1)) : std::nullopt;
  if (!type) return reader_->expected("a type of a register");
  reader_->next();
  do {
    LATHE_CHECK(declare_registers(*type));
  } while (reader_->take(","));
  return reader_->expect(";");
}

Result<void> BodyParser::declare_registers(Type type) {
  const int line = reader_->peek().line;
  LATHE_TRY(const std::string_view name, reader_->expect_name("the name of a register"));
  bool is_new = false;
  if (reader_->take("<")) {
    LATHE_TRY(const std::uint64_t count, reader_->expect_integer("a number of registers"));
    if (count > kMaxRegisters) return reader_->error_at(line, fmt::format("number out of range: {}", count));
    LATHE_CHECK(reader_->expect(">"));
    is_new = scopes_.declare_registers(name, count, type);
  } else {
    is_new = scopes_.declare_register(name, type);
  }
  if (is_new) return {};
  return reader_->error_at(line, fmt::format("`{}` is declared twice in one scope", name));
}

Result<void> BodyParser::read_variables(bool is_extern) {
  LATHE_TRY(std::vector<Variable> variables, ptx::read_variables(*reader_, open_->names, is_extern));
  for (Variable& variable : variables) {
    // One that outlives the call belongs to the module, though only this scope knows its name.
    const bool is_local = variable.space != Space::global && variable.space != Space::constant;
    std::vector<Variable>& owner = is_local ? function_->variables : open_->module.variables;
    const Name meaning{.kind = is_local ? Name::Kind::local_variable : Name::Kind::module_variable,
                       .index = owner.size()};
    if (!scopes_.declare(variable.name, meaning)) {
      return reader_->error_at(variable.line,
                               fmt::format("`{}` is declared twice in one scope", variable.name));
    }
    owner.push_back(std::move(variable));
  }
  return {};
}

Result<int> BodyParser::read_location_number() {
  const int line = reader_->peek().line;
  LATHE_TRY(const std::uint64_t number, reader_->expect_integer("a number of .loc"));
  if (number > kMaxSourceNumber) {
    return reader_->error_at(line, fmt::format("number out of range: {}", number));
  }
  return static_cast<int>(number);
}

/// File, line and column.
Result<SourceLine> BodyParser::read_source_line() {
  LATHE_TRY(const int file, read_location_number());
  LATHE_TRY(const int line, read_location_number());
  LATHE_TRY([[maybe_unused]] const int column, read_location_number());
  return SourceLine{.file = file, .line = line};
}

/// `.loc 1 17 3, function_name $L__info_string0, inlined_at 1 40 5`. The function's name is of no use here.
Result<void> BodyParser::read_location() {
  LATHE_TRY(const SourceLine source, read_source_line());
  SourceLine inlined_at;
  while (reader_->take(",")) {
    LATHE_TRY(const std::string_view attribute, reader_->expect_name("function_name or inlined_at"));
    if (attribute == "function_name") {
      LATHE_TRY([[maybe_unused]] const std::string_view name, reader_->expect_name("a label"));
      LATHE_TRY([[maybe_unused]] const std::int64_t offset, reader_->offset());
    } else if (attribute == "inlined_at") {
      LATHE_TRY(inlined_at, read_source_line());
    } else {
      return reader_->error(fmt::format("unknown attribute {} of .loc", attribute));
    }
  }
  instructions_.set_location(source, inlined_at);
  return {};
}

Result<void> BodyParser::read_label() {
  const Token label = reader_->next();
  LATHE_CHECK(reader_->expect(":"));
  if (reader_->take(".branchtargets")) return read_branch_targets(label.text);
  if (scopes_.declare_label(label.text, function_->code.size())) return {};
  return reader_->error_at(label.line, fmt::format("label {} stands twice in one scope", label.text));
}

Result<void> BodyParser::read_branch_targets(std::string_view name) {
  const int line = reader_->peek().line;
  std::vector<std::string_view> labels;
  do {
    LATHE_TRY(labels.emplace_back(), reader_->expect_name("a label"));
  } while (reader_->take(","));
  if (!scopes_.declare_branch_targets(name, std::move(labels))) {
    return reader_->error_at(line, fmt::format("`{}` is declared twice in one scope", name));
  }
  return reader_->expect(";");
}

}  // namespace

Result<void> read_body(TokenReader& reader, OpenModule& open, Function& function) {
  return BodyParser(reader, open, function).read();
}

}  // namespace lathe::runtime::ptx
