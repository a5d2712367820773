#include "runtime/ptx/scopes.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

namespace lathe::runtime::ptx {

void Scopes::open() {
  scopes_.push_back({.parent = current_, .names = {}, .ranges = {}, .labels = {}, .branch_targets = {}});
  current_ = scopes_.size() - 1;
  ++depth_;
}

void Scopes::close() {
  current_ = scopes_[current_].parent;
  --depth_;
}

bool Scopes::has(const Range& range, std::string_view name) {
  if (!name.starts_with(range.prefix)) return false;
  const std::string_view digits = name.substr(range.prefix.size());
  // `%r01` is not `%r1`.
  if (digits.empty() || (digits.size() > 1 && digits.front() == '0')) return false;
  std::size_t index = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  return code == std::errc{} && end == digits.data() + digits.size() && index < range.count;
}

const Scopes::Range* Scopes::range_of(const Scope& scope, std::string_view name) {
  const auto found = std::ranges::find_if(scope.ranges, [&](const Range& range) { return has(range, name); });
  return found == scope.ranges.end() ? nullptr : &*found;
}

std::size_t Scopes::add_register(std::string_view name, Type type) {
  registers_->push_back({.name = name, .type = type});
  return registers_->size() - 1;
}

bool Scopes::declare(std::string_view name, Name meaning) {
  Scope& scope = scopes_[current_];
  return range_of(scope, name) == nullptr && scope.names.emplace(name, meaning).second;
}

bool Scopes::declare_register(std::string_view name, Type type) {
  if (!declare(name, {.kind = Name::Kind::reg, .index = registers_->size()})) return false;
  add_register(name, type);
  return true;
}

bool Scopes::declare_registers(std::string_view prefix, std::size_t count, Type type) {
  Scope& scope = scopes_[current_];
  const Range added{.prefix = prefix, .count = count, .type = type};
  for (const auto& [name, meaning] : scope.names) {
    if (has(added, name)) return false;
  }
  for (const Range& range : scope.ranges) {
    // `%r1<5>` begins with %r10, which may be one of `%r<20>`: of two ranges that share a register, one has
    // the other's first.
    if (has(range, std::string(prefix) + '0') || has(added, std::string(range.prefix) + '0')) return false;
  }
  scope.ranges.push_back(added);
  return true;
}

bool Scopes::declare_label(std::string_view name, std::size_t instruction) {
  return scopes_[current_].labels.emplace(name, instruction).second;
}

bool Scopes::declare_branch_targets(std::string_view name, std::vector<std::string_view> labels) {
  return scopes_[current_].branch_targets.emplace(name, std::move(labels)).second;
}

std::optional<Name> Scopes::find_in(Scope& scope, std::string_view name) {
  if (const auto found = scope.names.find(name); found != scope.names.end()) return found->second;
  const Range* const range = range_of(scope, name);
  if (range == nullptr) return std::nullopt;
  const Name meaning{.kind = Name::Kind::reg, .index = add_register(name, range->type)};
  scope.names.emplace(name, meaning);
  return meaning;
}

std::optional<Name> Scopes::find(std::string_view name) {
  for (std::size_t scope = current_;; scope = scopes_[scope].parent) {
    if (const auto found = find_in(scopes_[scope], name)) return found;
    if (scope == 0) break;
  }
  const auto found = module_names_->find(name);
  return found == module_names_->end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::size_t> Scopes::find_label(std::string_view name, std::size_t scope) const {
  for (;; scope = scopes_[scope].parent) {
    const auto found = scopes_[scope].labels.find(name);
    if (found != scopes_[scope].labels.end()) return found->second;
    if (scope == 0) return std::nullopt;
  }
}

const std::vector<std::string_view>* Scopes::find_branch_targets(std::string_view name) const {
  for (std::size_t scope = current_;; scope = scopes_[scope].parent) {
    const auto found = scopes_[scope].branch_targets.find(name);
    if (found != scopes_[scope].branch_targets.end()) return &found->second;
    if (scope == 0) return nullptr;
  }
}

}  // namespace lathe::runtime::ptx
