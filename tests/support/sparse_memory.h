// SparseMemory: more addresses than bytes, for tests of offsets beyond 2^31.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include <lathe/runtime.h>

namespace lathe::tests {

/// Memory of which only what is touched exists: for the device, as far as it has that much.
class SparseMemory {
 public:
  SparseMemory(Runtime& runtime, std::size_t bytes) : bytes_(bytes) {
    if (runtime.target().backend == Backend::cpu) {
      void* mapped =
          mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (mapped != MAP_FAILED) mapped_ = mapped;
    } else if (auto allocated = runtime.allocate(bytes)) {
      buffer_.emplace(*std::move(allocated));
    }
  }
  SparseMemory(const SparseMemory&) = delete;
  SparseMemory& operator=(const SparseMemory&) = delete;
  ~SparseMemory() {
    if (mapped_ != nullptr) munmap(mapped_, bytes_);
  }

  /// nullptr: there is not that much.
  std::uint16_t* data() const { return static_cast<std::uint16_t*>(buffer_ ? buffer_->data() : mapped_); }

 private:
  std::size_t bytes_;
  void* mapped_ = nullptr;
  std::optional<Buffer> buffer_;
};

}  // namespace lathe::tests
