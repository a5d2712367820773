#include "runtime/ptx/parse_operands.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "runtime/base/try.h"

namespace lathe::runtime::ptx {

namespace {

using Kind = Operand::Kind;

/// Of three dimensions; their names end in `.x` to `.w`.
constexpr std::array<std::string_view, 8> kVectorSpecials{
    "tid", "ntid", "ctaid", "nctaid", "clusterid", "nclusterid", "cluster_ctaid", "cluster_nctaid"};

constexpr auto kScalarSpecials = std::to_array<std::string_view>({
    "laneid",
    "warpid",
    "nwarpid",
    "smid",
    "nsmid",
    "gridid",
    "is_explicit_cluster",
    "cluster_ctarank",
    "cluster_nctarank",
    "lanemask_eq",
    "lanemask_le",
    "lanemask_lt",
    "lanemask_ge",
    "lanemask_gt",
    "clock",
    "clock_hi",
    "clock64",
    "globaltimer",
    "globaltimer_lo",
    "globaltimer_hi",
    "dynamic_smem_size",
    "total_smem_size",
    "aggr_smem_size",
    "reserved_smem_offset_begin",
    "reserved_smem_offset_end",
    "reserved_smem_offset_cap",
    "current_graph_exec",
});

bool is_special(std::string_view name) {
  if (!name.starts_with('%')) return false;
  name.remove_prefix(1);
  if (const std::size_t point = name.find('.'); point != std::string_view::npos) {
    return std::ranges::find(kVectorSpecials, name.substr(0, point)) != kVectorSpecials.end();
  }
  return std::ranges::find(kScalarSpecials, name) != kScalarSpecials.end();
}

Operand made(Kind kind, std::string_view name) {
  Operand operand;
  operand.kind = kind;
  operand.name = name;
  return operand;
}

Operand made(Name meaning, std::string_view name) {
  Operand operand = made(Kind::reg, name);
  operand.index = meaning.index;
  operand.is_local = meaning.kind == Name::Kind::local_variable;
  if (meaning.kind == Name::Kind::function) operand.kind = Kind::function;
  if (operand.is_local || meaning.kind == Name::Kind::module_variable) operand.kind = Kind::variable;
  return operand;
}

Operand number_operand(const Token& token) {
  Operand operand = made(token.kind == Token::Kind::integer  ? Kind::integer
                         : token.kind == Token::Kind::real32 ? Kind::real32
                                                             : Kind::real64,
                         {});
  operand.bits = token.bits;
  return operand;
}

bool can_be_of_pair(const Operand& operand) {
  return (operand.kind == Kind::reg && !operand.is_negated) || operand.kind == Kind::sink;
}

}  // namespace

Result<Operand> OperandReader::read() {
  if (reader_->next_is("{")) return read_vector();
  if (reader_->next_is("[")) return read_address();
  LATHE_TRY(Operand first, read_simple());
  if (!reader_->next_is("|")) return first;
  if (!can_be_of_pair(first)) return reader_->error("`|` needs a register before it");
  reader_->next();
  LATHE_TRY(Operand second, read_simple());
  if (!can_be_of_pair(second)) return reader_->error("`|` needs a register behind it");
  Operand pair = made(Kind::pair, {});
  pair.elements.push_back(std::move(first));
  pair.elements.push_back(std::move(second));
  return pair;
}

Result<Operand> OperandReader::read_simple() {
  if (reader_->take("!")) {
    LATHE_TRY(Operand operand, read_named());
    if (operand.kind != Kind::reg) return reader_->error("`!` needs a register behind it");
    operand.is_negated = true;
    return operand;
  }
  if (reader_->peek().kind == Token::Kind::identifier) return read_named();
  LATHE_TRY(const Token number, reader_->expect_number("an operand"));
  return number_operand(number);
}

Result<Operand> OperandReader::read_named() {
  const int line = reader_->peek().line;
  LATHE_TRY(const std::string_view name, reader_->expect_name("a name"));
  if (name == "_") return made(Kind::sink, name);
  if (const std::optional<Name> meaning = scopes_->find(name)) {
    Operand operand = made(*meaning, name);
    if (operand.kind == Kind::variable) {
      LATHE_TRY(const std::int64_t offset, reader_->offset());
      operand.bits = static_cast<std::uint64_t>(offset);
    }
    return operand;
  }
  if (is_special(name)) return made(Kind::special, name);
  if (name == "WARP_SZ") {
    Operand operand = made(Kind::integer, name);
    operand.bits = 32;
    return operand;
  }
  if (name.starts_with('%') && name.find('.') != std::string_view::npos) {
    return reader_->error_at(line,
                             fmt::format("elements of vector registers, `{}`, are not supported", name));
  }
  return reader_->error_at(line,
                           fmt::format("unknown {} {}", name.starts_with('%') ? "register" : "name", name));
}

Result<Operand> OperandReader::read_vector() {
  LATHE_CHECK(reader_->expect("{"));
  Operand vector = made(Kind::vector, {});
  do {
    LATHE_TRY(Operand element, read_simple());
    vector.elements.push_back(std::move(element));
  } while (reader_->take(","));
  LATHE_CHECK(reader_->expect("}"));
  return vector;
}

Result<Operand> OperandReader::read_address() {
  LATHE_CHECK(reader_->expect("["));
  Operand address = made(Kind::address, {});
  const int line = reader_->peek().line;
  LATHE_TRY(Operand base, read_simple());
  const bool is_base = (base.kind == Kind::reg && !base.is_negated) || base.kind == Kind::variable ||
                       base.kind == Kind::integer;
  if (!is_base) return reader_->error_at(line, "an address needs a register, a variable or an integer");
  LATHE_TRY(const std::int64_t offset, reader_->offset());
  // What follows a variable was read as a part of it; here it is the address that has the offset.
  address.bits = static_cast<std::uint64_t>(offset);
  if (base.kind == Kind::variable) address.bits += std::exchange(base.bits, 0);
  address.elements.push_back(std::move(base));
  while (reader_->take(",")) {
    LATHE_TRY(Operand more, reader_->next_is("{") ? read_vector() : read_simple());
    address.elements.push_back(std::move(more));
  }
  LATHE_CHECK(reader_->expect("]"));
  return address;
}

Result<std::size_t> OperandReader::read_predicate(const std::vector<Register>& registers) {
  const int line = reader_->peek().line;
  LATHE_TRY(const Operand operand, read_named());
  if (operand.kind != Kind::reg || registers[operand.index].type != Type::pred) {
    return reader_->error_at(line, "a guard must be a predicate register");
  }
  return operand.index;
}

}  // namespace lathe::runtime::ptx
