#include "runtime/ptx/register_budget.h"

#include <algorithm>
#include <cstdint>

namespace lathe::runtime::ptx {

namespace {

constexpr std::uint64_t kRegistersOfMultiprocessor = 65536;
constexpr unsigned kMostOfThread = 256;
/// Registers are given out by so many for each thread.
constexpr unsigned kUnit = 8;

}  // namespace

unsigned registers_at_entry(const RegisterLimits& limits, unsigned largest_increase) {
  unsigned registers = limits.max_registers;
  if (registers == 0) {
    const std::uint64_t threads = std::uint64_t{limits.max_threads} * limits.min_blocks;
    if (threads == 0) return 0;
    registers = static_cast<unsigned>(kRegistersOfMultiprocessor / threads / kUnit * kUnit);
  }
  if (largest_increase != 0) registers = std::min(registers, largest_increase);
  registers = std::min(registers, kMostOfThread);
  return (registers + kUnit - 1) / kUnit * kUnit;
}

RegisterBudget::RegisterBudget(unsigned per_thread, unsigned warps)
    : is_known_(per_thread != 0), registers_(warps, per_thread) {}

RegisterBudget::Change RegisterBudget::decrease(unsigned warp, unsigned registers) {
  unsigned& present = registers_[warp];
  if (present != 0 && registers > present) return Change::wrong_direction;
  if (is_known_) free_ += present - registers;
  present = registers;
  return Change::done;
}

RegisterBudget::Change RegisterBudget::increase(unsigned warp, unsigned registers) {
  unsigned& present = registers_[warp];
  if (registers < present) return Change::wrong_direction;
  if (is_known_) {
    if (registers - present > free_) return Change::must_wait;
    free_ -= registers - present;
  }
  present = registers;
  return Change::done;
}

}  // namespace lathe::runtime::ptx
