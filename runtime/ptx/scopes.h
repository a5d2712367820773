// What the names of a PTX text stand for: those of the module, and those of a function's nested scopes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/ptx/syntax.h"

namespace lathe::runtime::ptx {

struct Name {
  enum class Kind : std::uint8_t { reg, local_variable, module_variable, function };
  Kind kind = Kind::reg;
  std::size_t index = 0;  ///< in the vector of Function or Module
};

using ModuleNames = std::unordered_map<std::string_view, Name>;

/// Scopes of one function. They are numbered; 0 is the function's own. Each declare_ function is false where
/// the scope has that name already.
class Scopes {
 public:
  /// Registers are added to `registers` when they are first used: `%r<100000>` costs nothing by itself, and
  /// the text holds a name to point at.
  Scopes(const ModuleNames& module_names, std::vector<Register>& registers)
      : module_names_(&module_names), registers_(&registers), scopes_(1) {}

  void open();
  /// REQUIRES: depth() > 0.
  void close();
  std::size_t depth() const { return depth_; }
  std::size_t current() const { return current_; }

  bool declare(std::string_view name, Name meaning);
  bool declare_register(std::string_view name, Type type);
  /// `prefix<count>`
  bool declare_registers(std::string_view prefix, std::size_t count, Type type);
  /// `instruction` is the one behind the label.
  bool declare_label(std::string_view name, std::size_t instruction);
  bool declare_branch_targets(std::string_view name, std::vector<std::string_view> labels);

  /// Innermost first; the module's last.
  std::optional<Name> find(std::string_view name);
  /// Seen from that scope.
  std::optional<std::size_t> find_label(std::string_view name, std::size_t scope) const;
  const std::vector<std::string_view>* find_branch_targets(std::string_view name) const;

 private:
  struct Range {
    std::string_view prefix;
    std::size_t count = 0;
    Type type = Type::b32;
  };
  struct Scope {
    std::size_t parent = 0;  ///< the function's own has itself
    std::unordered_map<std::string_view, Name> names;
    std::vector<Range> ranges;
    std::unordered_map<std::string_view, std::size_t> labels;
    std::unordered_map<std::string_view, std::vector<std::string_view>> branch_targets;
  };
  static bool has(const Range& range, std::string_view name);
  static const Range* range_of(const Scope& scope, std::string_view name);
  std::optional<Name> find_in(Scope& scope, std::string_view name);
  std::size_t add_register(std::string_view name, Type type);

  const ModuleNames* module_names_;
  std::vector<Register>* registers_;
  std::vector<Scope> scopes_;
  std::size_t current_ = 0;
  std::size_t depth_ = 0;
};

}  // namespace lathe::runtime::ptx
