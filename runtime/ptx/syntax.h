// The syntax tree of a PTX module, with every name resolved. Immutable once parsed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/ptx/types.h"

namespace lathe::runtime::ptx {

/// A virtual register. Index into Function::registers; each scope's own even where names repeat.
struct Register {
  std::string_view name;
  Type type = Type::b32;
};

/// A variable of any space but registers, of the module, a function or one of its scopes.
struct Variable {
  std::string_view name;
  Space space = Space::global;
  Type type = Type::b8;                ///< of one element
  std::size_t align = 1;               ///< bytes
  std::size_t bytes = 0;               ///< 0: `.extern .shared x[]`, the dynamic shared memory
  std::vector<std::byte> initializer;  ///< empty: zeros (module scope) or undefined (others)
  /// Elements of the initializer that are addresses of other variables: byte offset in it, and index of the
  /// variable in Module::variables.
  struct AddressOf {
    std::size_t at = 0;
    std::size_t variable = 0;
    std::int64_t offset = 0;
  };
  std::vector<AddressOf> addresses;
  int line = 0;
};

/// What stands between the commas of an instruction.
struct Operand {
  enum class Kind : std::uint8_t {
    reg,       ///< index: Function::registers; negated: `!%p`
    pair,      ///< `d|p`: elements are two registers, either of which may be a sink
    sink,      ///< `_`
    special,   ///< name: "%tid.x"
    integer,   ///< bits: two's complement, 64 bits
    real32,    ///< 0f...: bits in the lower half
    real64,    ///< 0d... and decimal fractions: bits
    variable,  ///< its address; index: Module::variables, or Function::variables if is_local; bits: what is
               ///< added, as in `mov.u64 %rd1, table+8`; 0 within an address, which has its own
    function,  ///< index: Module::functions
    label,     ///< index: the instruction in Function::code (may be one past the last)
    address,   ///< `[base + offset]`, `[base, {x, y}]`, `[a], `...: elements[0] is the base (reg, variable or
               ///< integer), elements[1...] what follows after commas; bits: the offset
    vector,    ///< `{a, b, c, d}`: elements
  };
  Kind kind = Kind::sink;
  bool is_negated = false;
  bool is_local = false;
  std::size_t index = 0;
  std::uint64_t bits = 0;
  std::string_view name;
  std::vector<Operand> elements;
};

/// Of `.loc`.
struct SourceLine {
  int file = 0;  ///< index into Module::files by its number; 0: none
  int line = 0;
};

struct Instruction {
  /// `@%p` or `@!%p`; index of the register.
  struct Guard {
    std::size_t reg = 0;
    bool is_negated = false;
  };
  std::optional<Guard> guard;
  std::string_view opcode;                  ///< up to the first point: "add", "ld", "cp"
  std::vector<std::string_view> modifiers;  ///< between the points: {"rn", "f32"}, {"shared::cta", "b64"}
  std::vector<Operand> operands;
  /// The targets of a `brx.idx` (labels), or the parameters of a `call`: out, in.
  std::vector<Operand> results;
  std::string_view text;  ///< as written, without guard's line breaks: for messages
  int line = 0;           ///< of the PTX text, from 1
  SourceLine source;
  SourceLine inlined_at;  ///< where the function that `source` is in was called, if it was inlined
};

struct Function {
  std::string_view name;
  bool is_entry = false;
  bool is_defined = false;  ///< false: only declared
  std::vector<Register> registers;
  /// Parameters first: `parameters` inputs, then `results`; then .shared, .local and .param variables of its
  /// scopes.
  std::vector<Variable> variables;
  std::size_t parameters = 0;
  std::size_t results = 0;
  std::vector<Instruction> code;
  unsigned max_threads = 0;                  ///< product of .maxntid; 0: not said
  unsigned max_registers = 0;                ///< .maxnreg, of a thread; 0: not said
  unsigned min_blocks = 0;                   ///< .minnctapersm; 0: not said
  std::optional<unsigned> required_cluster;  ///< blocks, product of .reqnctapercluster
  int line = 0;
};

struct Module {
  /// What every view here points into.
  std::unique_ptr<const std::string> text;
  unsigned version = 0;     ///< 90: PTX ISA 9.0
  std::string_view target;  ///< "sm_90a"
  std::vector<Variable> variables;
  std::vector<Function> functions;
  std::vector<std::pair<int, std::string_view>> files;  ///< of `.file`: number, name
};

}  // namespace lathe::runtime::ptx
