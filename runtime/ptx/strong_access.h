// How strong loads and stores reach memory that other threads of the host may access at the same time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace lathe::runtime::ptx {

/// Sequentially consistent, so that the host keeps the order in which weak accesses were done around it,
/// whatever the ordering is and wherever the fences are. REQUIRES of both: `at` is a multiple of `bytes`,
/// which are 1, 2, 4 or 8.
template <class T>
std::uint64_t load_strong_as(std::byte* at) {
  return std::atomic_ref<T>(*reinterpret_cast<T*>(at)).load();
}
template <class T>
void store_strong_as(std::byte* at, std::uint64_t value) {
  std::atomic_ref<T>(*reinterpret_cast<T*>(at)).store(static_cast<T>(value));
}

inline std::uint64_t load_strong(std::byte* at, unsigned bytes) {
  if (bytes == 1) return load_strong_as<std::uint8_t>(at);
  if (bytes == 2) return load_strong_as<std::uint16_t>(at);
  if (bytes == 4) return load_strong_as<std::uint32_t>(at);
  return load_strong_as<std::uint64_t>(at);
}

inline void store_strong(std::byte* at, unsigned bytes, std::uint64_t value) {
  if (bytes == 1) return store_strong_as<std::uint8_t>(at, value);
  if (bytes == 2) return store_strong_as<std::uint16_t>(at, value);
  if (bytes == 4) return store_strong_as<std::uint32_t>(at, value);
  store_strong_as<std::uint64_t>(at, value);
}

}  // namespace lathe::runtime::ptx
