#include "runtime/ptx/memory_run.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "runtime/ptx/block.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

template <class T>
bool are_in_steps_of(const T* addresses, unsigned bytes) {
  T difference = 0;  // of any lane: not found out lane by lane, so that compilers use vectors
  for (unsigned lane = 0; lane < kLanes; ++lane)
    difference |= static_cast<T>(addresses[lane] - addresses[0] - lane * bytes);
  return difference == 0;
}

/// The bits of a register's lanes, as unsigned integers so wide.
template <class T, unsigned kElements>
void load_elements(Warp& warp, std::span<const Slot> registers, const std::byte* from) {
  std::array<T, kElements * kLanes> values;
  std::memcpy(values.data(), from, sizeof values);
  for (unsigned i = 0; i < kElements; ++i) {
    T* lanes = warp.lanes<T>(registers[i]);
    for (unsigned lane = 0; lane < kLanes; ++lane) lanes[lane] = values[lane * kElements + i];
  }
}

template <class T, unsigned kElements>
void store_elements(Warp& warp, std::span<const Slot> registers, std::byte* to) {
  std::array<T, kElements * kLanes> values;
  for (unsigned i = 0; i < kElements; ++i) {
    const T* lanes = warp.lanes<T>(registers[i]);
    for (unsigned lane = 0; lane < kLanes; ++lane) values[lane * kElements + i] = lanes[lane];
  }
  std::memcpy(to, values.data(), sizeof values);
}

/// function.operator()<T, count>()
template <class T, class Function>
void for_count(unsigned count, const Function& function) {
  if (count == 1) return function.template operator()<T, 1>();
  if (count == 2) return function.template operator()<T, 2>();
  if (count == 4) return function.template operator()<T, 4>();
  return function.template operator()<T, 8>();
}
template <class Function>
void for_elements(const Elements& elements, const Function& function) {
  if (elements.bytes == 1) return for_count<std::uint8_t>(elements.count, function);
  if (elements.bytes == 2) return for_count<std::uint16_t>(elements.count, function);
  if (elements.bytes == 4) return for_count<std::uint32_t>(elements.count, function);
  return for_count<std::uint64_t>(elements.count, function);
}

}  // namespace

bool Elements::fill(std::span<const Slot> registers) const {
  return std::all_of(registers.begin(), registers.end(),
                     [&](const Slot& each) { return each.bits == 8 * bytes; });
}

std::optional<Place> locate_run(Warp& warp, Slot address, std::int64_t offset, const Access& access) {
  if (warp.active() != kAllLanes || (warp.block().checks_definedness() && warp.defined(address) != kAllLanes))
    return std::nullopt;
  const bool are_in_steps = address.bits == 32
                                ? are_in_steps_of(warp.lanes<std::uint32_t>(address), access.bytes)
                                : are_in_steps_of(warp.lanes<std::uint64_t>(address), access.bytes);
  if (!are_in_steps) return std::nullopt;
  return find_place(warp, address_of(warp, address, offset, 0), access, kLanes * std::size_t{access.bytes});
}

void load_run(Warp& warp, std::span<const Slot> registers, const Elements& elements, const std::byte* from) {
  for_elements(elements,
               [&]<class T, unsigned kCount>() { load_elements<T, kCount>(warp, registers, from); });
}

void store_run(Warp& warp, std::span<const Slot> registers, const Elements& elements, std::byte* to) {
  for_elements(elements, [&]<class T, unsigned kCount>() { store_elements<T, kCount>(warp, registers, to); });
}

}  // namespace lathe::runtime::ptx
