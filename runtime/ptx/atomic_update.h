// How atomic operations change memory that other threads of the host may change too.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "runtime/ptx/atomic_arithmetic.h"

namespace lathe::runtime::ptx {

/// Of `bytes_of(type)` bytes; `a` and `b` as combine() takes them. `flushes`: denormal floats count as zeros.
/// Returns the old value.
template <class T>
std::uint64_t atomic_update_of(std::byte* at, AtomicOperation operation, Type type, std::uint64_t a,
                               std::uint64_t b, bool flushes) {
  std::atomic_ref<T> memory(*reinterpret_cast<T*>(at));
  T old = memory.load();
  for (;;) {
    std::uint64_t before = old;
    if (flushes) before = flushed_f32(before);
    std::uint64_t after = combine(operation, type, before, flushes ? flushed_f32(a) : a, b);
    if (flushes) after = flushed_f32(after);
    if (memory.compare_exchange_weak(old, static_cast<T>(after))) return old;
  }
}

inline std::uint64_t atomic_update(std::byte* at, AtomicOperation operation, Type type, std::uint64_t a,
                                   std::uint64_t b, bool flushes) {
  const unsigned bytes = bytes_of(type);
  if (bytes == 2) return atomic_update_of<std::uint16_t>(at, operation, type, a, b, false);
  if (bytes == 4) return atomic_update_of<std::uint32_t>(at, operation, type, a, b, flushes);
  return atomic_update_of<std::uint64_t>(at, operation, type, a, b, false);
}

}  // namespace lathe::runtime::ptx
