#include "runtime/ptx/shadow.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace lathe::runtime::ptx {

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
  if (defined_ != nullptr) std::memset(defined_ + offset, 1, bytes);
}

void Shadow::undefine(std::size_t offset, std::size_t bytes) {
  if (defined_ != nullptr) std::memset(defined_ + offset, 0, bytes);
}

void Shadow::copy(std::size_t from, std::size_t to, std::size_t bytes) {
  if (defined_ != nullptr) std::memmove(defined_ + to, defined_ + from, bytes);
}

bool Shadow::is_defined(std::size_t offset, std::size_t bytes) const {
  if (defined_ == nullptr) return true;
  return std::memchr(defined_ + offset, 0, bytes) == nullptr;
}

}  // namespace lathe::runtime::ptx
