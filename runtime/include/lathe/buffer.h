// Buffer: device memory that frees itself.
#pragma once

#include <cstddef>
#include <memory>

namespace lathe {

/// Owned memory of a Runtime's device. Move-only by intent, shared underneath with the device it came from.
class Buffer {
 public:
  Buffer() = default;
  /// `owner` frees the memory when the last copy goes.
  Buffer(std::shared_ptr<void> owner, std::size_t bytes) : owner_(std::move(owner)), bytes_(bytes) {}

  void* data() const { return owner_.get(); }
  std::size_t size() const { return bytes_; }

 private:
  std::shared_ptr<void> owner_;
  std::size_t bytes_ = 0;
};

}  // namespace lathe
