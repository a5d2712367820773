#include "runtime/ptx/global_memory.h"

#include <sys/mman.h>

#include <mutex>

#include <fmt/format.h>

namespace lathe::runtime::ptx {

namespace {

std::uint64_t address_of(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

/// Between two allocations lies at least this much that belongs to none.
constexpr std::size_t kGap = 4096;

std::string described(const GlobalMemory::Allocation& allocation) {
  if (!allocation.name.empty()) return fmt::format("the variable {}", allocation.name);
  return fmt::format("the allocation of {} bytes at {}", allocation.bytes,
                     static_cast<const void*>(allocation.begin));
}

}  // namespace

GlobalMemory::~GlobalMemory() {
  for (const auto& [address, allocation] : allocations_) {
    if (allocation.mapped_bytes != 0) munmap(allocation.begin, allocation.mapped_bytes);
  }
}

std::byte* GlobalMemory::allocate(std::size_t bytes) {
  const std::size_t mapped = bytes + kGap;
  if (mapped < bytes) return nullptr;
  void* pages =
      mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED) return nullptr;
  const std::unique_lock lock(mutex_);
  Allocation& made = allocations_[address_of(pages)];
  made.begin = static_cast<std::byte*>(pages);
  made.bytes = bytes;
  made.mapped_bytes = mapped;
  made.shadow = Shadow(bytes);
  return made.begin;
}

void GlobalMemory::release(void* pointer) noexcept {
  const std::unique_lock lock(mutex_);
  const auto at = allocations_.find(address_of(pointer));
  if (at == allocations_.end()) return;
  munmap(at->second.begin, at->second.mapped_bytes);
  allocations_.erase(at);
}

void GlobalMemory::add(std::byte* begin, std::size_t bytes, std::string name, bool is_constant) {
  const std::unique_lock lock(mutex_);
  Allocation& made = allocations_[address_of(begin)];
  made.begin = begin;
  made.bytes = bytes;
  made.is_constant = is_constant;
  made.name = std::move(name);
}

void GlobalMemory::remove(std::byte* begin) noexcept {
  const std::unique_lock lock(mutex_);
  allocations_.erase(address_of(begin));
}

const GlobalMemory::Allocation* GlobalMemory::find(std::uint64_t address) const {
  const std::shared_lock lock(mutex_);
  auto after = allocations_.upper_bound(address);
  if (after == allocations_.begin()) return nullptr;
  const Allocation& before = std::prev(after)->second;
  return before.covers(address, 1) ? &before : nullptr;
}

void GlobalMemory::define(const void* begin, std::size_t bytes) {
  if (bytes == 0) return;
  const Allocation* allocation = find(address_of(begin));
  if (allocation == nullptr || !allocation->covers(address_of(begin), bytes)) return;
  allocation->shadow.define(address_of(begin) - address_of(allocation->begin), bytes);
}

std::string GlobalMemory::nearest(std::uint64_t address) const {
  const std::shared_lock lock(mutex_);
  if (allocations_.empty()) return "nothing is allocated on the device";
  const auto after = allocations_.upper_bound(address);
  const Allocation* best = after == allocations_.end() ? nullptr : &after->second;
  std::uint64_t distance = best == nullptr ? 0 : address_of(best->begin) - address;
  bool is_before = true;
  if (after != allocations_.begin()) {
    const Allocation& before = std::prev(after)->second;
    const std::uint64_t behind = address - (address_of(before.begin) + before.bytes);
    if (best == nullptr || behind < distance) {
      best = &before;
      distance = behind;
      is_before = false;
    }
  }
  return fmt::format("{} bytes {} {}", distance, is_before ? "before" : "behind the end of",
                     described(*best));
}

}  // namespace lathe::runtime::ptx
