#include "runtime/ptx/shadow.h"

#include <sys/mman.h>

#include <atomic>
#include <cstring>
#include <utility>

namespace lathe::runtime::ptx {

namespace {

/// So many bytes, all 1.
template <class T>
constexpr T kOnes = static_cast<T>(0x0101010101010101);

/// Calls function(word) for the words of 8, 4 and 1 bytes that the range is made of, until it returns false.
/// False if it did. No other words are touched: they are other threads'.
template <class Function>
bool for_each_word(std::uint8_t* begin, std::size_t bytes, const Function& function) {
  const auto next = [&]<class T>(T) { return function(std::atomic_ref(*reinterpret_cast<T*>(begin))); };
  while (bytes != 0) {
    const auto at = reinterpret_cast<std::uintptr_t>(begin);
    const std::size_t size = at % 8 == 0 && bytes >= 8 ? 8 : at % 4 == 0 && bytes >= 4 ? 4 : 1;
    const bool goes_on = size == 8   ? next(std::uint64_t{})
                         : size == 4 ? next(std::uint32_t{})
                                     : next(std::uint8_t{});
    if (!goes_on) return false;
    begin += size;
    bytes -= size;
  }
  return true;
}

}  // namespace

Shadow::Shadow(std::size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  void* mapped =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped != MAP_FAILED) defined_ = static_cast<std::uint8_t*>(mapped);
}

Shadow::Shadow(Shadow&& other) noexcept
    : defined_(std::exchange(other.defined_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Shadow& Shadow::operator=(Shadow&& other) noexcept {
  std::swap(defined_, other.defined_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Shadow::~Shadow() {
  if (defined_ != nullptr) munmap(defined_, bytes_);
}

void Shadow::define(std::size_t offset, std::size_t bytes) {
  if (defined_ == nullptr) return;
  for_each_word(defined_ + offset, bytes, []<class T>(std::atomic_ref<T> word) {
    word.store(kOnes<T>, std::memory_order_relaxed);
    return true;
  });
}

void Shadow::undefine(std::size_t offset, std::size_t bytes) {
  if (defined_ != nullptr) std::memset(defined_ + offset, 0, bytes);
}

void Shadow::copy(std::size_t from, std::size_t to, std::size_t bytes) {
  if (defined_ != nullptr) std::memmove(defined_ + to, defined_ + from, bytes);
}

bool Shadow::is_defined(std::size_t offset, std::size_t bytes) const {
  if (defined_ == nullptr) return true;
  return for_each_word(defined_ + offset, bytes, []<class T>(std::atomic_ref<T> word) {
    return word.load(std::memory_order_relaxed) == kOnes<T>;
  });
}

}  // namespace lathe::runtime::ptx
