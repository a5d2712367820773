// GlobalMemory: the allocations of an emulated device. Device addresses are host addresses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>

#include "runtime/ptx/shadow.h"

namespace lathe::runtime::ptx {

/// Thread-safe.
class GlobalMemory {
 public:
  struct Allocation {
    std::byte* begin = nullptr;
    std::size_t bytes = 0;
    std::size_t mapped_bytes = 0;  ///< 0: somebody else's
    bool is_constant = false;
    std::string name;  ///< of a variable; empty for what was allocated
    mutable Shadow shadow;

    bool covers(std::uint64_t address, std::size_t size) const {
      const auto first = reinterpret_cast<std::uintptr_t>(begin);
      return address >= first && address - first <= bytes && bytes - (address - first) >= size;
    }
  };

  GlobalMemory() = default;
  GlobalMemory(const GlobalMemory&) = delete;
  GlobalMemory& operator=(const GlobalMemory&) = delete;
  ~GlobalMemory();

  /// Aligned to 256 bytes; undefined until written. Pages are there when they are touched. nullptr: no
  /// memory.
  std::byte* allocate(std::size_t bytes);
  void release(void* pointer) noexcept;
  /// Memory of somebody else that kernels may use, all of it defined: a module's variables.
  void add(std::byte* begin, std::size_t bytes, std::string name, bool is_constant);
  void remove(std::byte* begin) noexcept;

  /// The allocation that holds the address, or nullptr. Valid until it is released.
  const Allocation* find(std::uint64_t address) const;
  /// The host wrote these bytes. Bytes that are not the device's are ignored.
  void define(const void* begin, std::size_t bytes);
  /// What lies nearest to an address that no allocation holds, for a report.
  std::string nearest(std::uint64_t address) const;

 private:
  mutable std::shared_mutex mutex_;
  std::map<std::uint64_t, Allocation> allocations_;  // by first address
};

}  // namespace lathe::runtime::ptx
