#include "runtime/ptx/frame_layout.h"

#include <algorithm>
#include <cstring>

namespace lathe::runtime::ptx {

namespace {

std::size_t align_up(std::size_t value, std::size_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

bool is_dynamic(const Variable& variable) {
  return variable.space == Space::shared && variable.bytes == 0;
}

}  // namespace

FrameLayout::FrameLayout(const Module& module, const std::vector<const Function*>& functions)
    : module_(&module) {
  place_module_variables();
  for (const Function* function : functions) place_function(*function);
  place_dynamic_shared(functions);
  link_addresses();
}

Slot FrameLayout::allocate(unsigned bits) {
  constexpr std::size_t kLine = 64;
  Slot slot{.offset = static_cast<std::uint32_t>(frame_bytes_),
            .id = next_id_++,
            .bits = static_cast<std::uint16_t>(bits)};
  frame_bytes_ += bits == 1 ? slot_bytes(bits) : align_up(slot_bytes(bits), kLine);
  if (bits != 1) return slot;
  // Predicates are small: only the next wide register needs a line of its own.
  frame_bytes_ = align_up(frame_bytes_, kLine);
  return slot;
}

std::uint64_t FrameLayout::place_shared(const Variable& variable) {
  shared_bytes_ = align_up(shared_bytes_, variable.align);
  const std::uint64_t address = kSharedBase + shared_bytes_;
  shared_bytes_ += variable.bytes;
  if (variable.bytes == 0) dynamic_align_ = std::max({dynamic_align_, variable.align, std::size_t{16}});
  return address;
}

std::uint64_t FrameLayout::place_thread(const Variable& variable) {
  thread_bytes_ = align_up(thread_bytes_, variable.align);
  const std::uint64_t address = thread_bytes_;
  thread_bytes_ += variable.bytes;
  return variable.space == Space::param ? kThreadParamBase + address : address;
}

void FrameLayout::place_module_variables() {
  for (const Variable& variable : module_->variables) {
    if (variable.space == Space::shared) {
      module_variables_.push_back(place_shared(variable));
      continue;
    }
    // So that the alignment that a variable asks for can be had from one that new[] gives.
    auto storage = std::make_unique<std::byte[]>(variable.bytes + variable.align);
    const auto begin = reinterpret_cast<std::uintptr_t>(storage.get());
    auto* address = storage.get() + (align_up(begin, variable.align) - begin);
    std::copy(variable.initializer.begin(), variable.initializer.end(), address);
    storage_.push_back(std::move(storage));
    module_variables_.push_back(reinterpret_cast<std::uintptr_t>(address));
    variables_.push_back({.name = std::string(variable.name),
                          .bytes = variable.bytes,
                          .address = address,
                          .is_constant = variable.space == Space::constant});
  }
}

void FrameLayout::place_function(const Function& function) {
  Places& places = places_[&function];
  for (const Instruction& instruction : function.code) {
    places.steps.push_back(steps_);
    steps_ += instruction.opcode == "call" ? 2 : 1;
  }
  places.steps.push_back(steps_++);
  for (const Register& reg : function.registers) places.registers.push_back(allocate(bits_of(reg.type)));
  for (std::size_t i = 0; i < function.variables.size(); ++i) {
    const Variable& variable = function.variables[i];
    if (function.is_entry && i < function.parameters) {
      parameter_bytes_ = align_up(parameter_bytes_, variable.align);
      places.variables.push_back(parameter_bytes_);
      parameter_bytes_ += variable.bytes;
    } else if (variable.space == Space::shared) {
      places.variables.push_back(place_shared(variable));
    } else {
      places.variables.push_back(place_thread(variable));
    }
  }
}

void FrameLayout::place_dynamic_shared(const std::vector<const Function*>& functions) {
  shared_bytes_ = align_up(shared_bytes_, dynamic_align_);  // 1 if there is none
  const std::uint64_t address = kSharedBase + shared_bytes_;
  for (std::size_t i = 0; i < module_->variables.size(); ++i) {
    if (is_dynamic(module_->variables[i])) module_variables_[i] = address;
  }
  for (const Function* function : functions) {
    Places& places = places_.at(function);
    for (std::size_t i = 0; i < function->variables.size(); ++i) {
      if (is_dynamic(function->variables[i])) places.variables[i] = address;
    }
  }
}

void FrameLayout::link_addresses() {
  for (std::size_t i = 0; i < module_->variables.size(); ++i) {
    for (const Variable::AddressOf& link : module_->variables[i].addresses) {
      const std::uint64_t value = module_variables_[link.variable] + static_cast<std::uint64_t>(link.offset);
      std::memcpy(reinterpret_cast<std::byte*>(module_variables_[i]) + link.at, &value, sizeof value);
    }
  }
}

Slot FrameLayout::register_slot(const Function& function, std::size_t index) const {
  return places_.at(&function).registers.at(index);
}

Slot FrameLayout::sink(unsigned bits) {
  const auto [at, is_new] = sinks_.try_emplace(bits);
  if (is_new) {
    at->second = allocate(bits);
    at->second.id = Slot::kSink;
  }
  return at->second;
}

Slot FrameLayout::constant(std::uint64_t value, unsigned bits) {
  const auto [at, is_new] = constants_.try_emplace({value, bits});
  if (is_new) {
    at->second = allocate(bits);
    at->second.id = Slot::kConstant;
  }
  return at->second;
}

Slot FrameLayout::special(Special special, unsigned bits) {
  const auto [at, is_new] = specials_.try_emplace({special, bits});
  if (is_new) {
    at->second = allocate(bits);
    at->second.id = Slot::kConstant;
  }
  return at->second;
}

Slot FrameLayout::carry() {
  if (!carry_) carry_ = allocate(1);
  return *carry_;
}

std::uint64_t FrameLayout::address_of(const Function& function, const Operand& variable) const {
  return variable.is_local ? places_.at(&function).variables.at(variable.index)
                           : module_variables_.at(variable.index);
}

Space FrameLayout::space_of(const Module& module, const Function& function, const Operand& variable) {
  return variable.is_local ? function.variables.at(variable.index).space
                           : module.variables.at(variable.index).space;
}

void FrameLayout::finish(Program& program) {
  program.frame_bytes = frame_bytes_;
  program.slot_ids = next_id_;
  for (const auto& [key, slot] : constants_) program.constants.push_back({slot, key.first});
  for (const auto& [key, slot] : specials_) program.specials.push_back({key.first, slot});
  program.parameter_bytes = parameter_bytes_;
  program.static_shared_bytes = shared_bytes_;
  program.local_bytes = thread_bytes_;
  program.variables = std::move(variables_);
  program.storage = std::move(storage_);
}

}  // namespace lathe::runtime::ptx
