// GuardedBuffer: device memory with bands around it that must stay as they were.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include <lathe/runtime.h>

#include "tests/support/catch.h"

namespace lathe::tests {

/// `bytes` of device memory at an address that is a multiple of 256 plus `offset`, between two bands of 4096
/// bytes.
class GuardedBuffer {
 public:
  GuardedBuffer(Runtime& runtime, std::size_t bytes, std::size_t offset = 0)
      : runtime_(&runtime),
        bytes_(bytes),
        begin_(kBand + offset),
        buffer_(runtime.allocate(begin_ + bytes + kBand).value()),
        image_(begin_ + bytes + kBand, kGuard) {}

  void* data() const { return static_cast<std::byte*>(buffer_.data()) + begin_; }
  std::size_t size() const { return bytes_; }

  /// Sets the whole allocation, bands included.
  void upload(const void* host) {
    std::memcpy(image_.data() + begin_, host, bytes_);
    runtime_->copy_to_device(buffer_.data(), image_.data(), image_.size(), {}).value();
  }

  /// The contents; checks that the bands were not written to.
  std::vector<std::byte> download() const {
    std::vector<std::byte> now(image_.size());
    runtime_->copy_to_host(now.data(), buffer_.data(), now.size(), {}).value();
    const bool before =
        std::equal(now.begin(), now.begin() + static_cast<std::ptrdiff_t>(begin_), image_.begin());
    const auto end = static_cast<std::ptrdiff_t>(begin_ + bytes_);
    const bool after = std::equal(now.begin() + end, now.end(), image_.begin() + end);
    CHECK(before);
    CHECK(after);
    return {now.begin() + static_cast<std::ptrdiff_t>(begin_), now.begin() + end};
  }

 private:
  static constexpr std::size_t kBand = 4096;
  static constexpr std::byte kGuard{0xA5};

  Runtime* runtime_;
  std::size_t bytes_;
  std::size_t begin_;
  Buffer buffer_;
  std::vector<std::byte> image_;
};

}  // namespace lathe::tests
