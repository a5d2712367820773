// HostTensor: values of a dtype, as doubles for the reference and as the bytes that a device sees.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include <lathe/dtype.h>

#include "tests/reference/rounding.h"

namespace lathe::tests {

class HostTensor {
 public:
  /// All zeros.
  HostTensor(DType dtype, std::size_t count) : dtype_(dtype), bytes_(count * size_of(dtype)) {}

  /// NaN everywhere: what a kernel does not write stays visible.
  static HostTensor poisoned(DType dtype, std::size_t count) {
    HostTensor tensor(dtype, count);
    std::memset(tensor.bytes_.data(), 0xFF, tensor.bytes_.size());
    return tensor;
  }

  DType dtype() const { return dtype_; }
  std::size_t count() const { return bytes_.size() / size_of(dtype_); }
  std::size_t element_bytes() const { return size_of(dtype_); }
  std::vector<std::byte>& bytes() { return bytes_; }
  const std::vector<std::byte>& bytes() const { return bytes_; }

  double at(std::size_t index) const {
    if (dtype_ == f32) {
      float value;
      std::memcpy(&value, bytes_.data() + index * 4, 4);
      return value;
    }
    std::uint16_t bits = 0;
    std::memcpy(&bits, bytes_.data() + index * element_bytes(), element_bytes());  // little-endian
    return reference::value_of(dtype_, bits);
  }

  /// Rounds to the dtype.
  void set(std::size_t index, double value) {
    if (dtype_ == f32) {
      const auto narrow = static_cast<float>(value);
      std::memcpy(bytes_.data() + index * 4, &narrow, 4);
    } else {
      const std::uint16_t bits = reference::bits_of(dtype_, value);
      std::memcpy(bytes_.data() + index * element_bytes(), &bits, element_bytes());
    }
  }

 private:
  DType dtype_;
  std::vector<std::byte> bytes_;
};

}  // namespace lathe::tests
