// Tensors of rows for kernel tests: random, strided, guarded, and compared with what they held before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <lathe/runtime.h>

#include "tests/reference/rms_norm.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/host_tensor.h"

namespace lathe::tests {

enum class Values : std::uint8_t {
  ordinary,     ///< normally distributed
  large,        ///< near the dtype's largest square root
  overflowing,  ///< squares that not even a float holds, or for f16 sums that f16 does not
  tiny,         ///< denormal, where the dtype has them
  zero,
  not_finite,  ///< ordinary, but for a NaN in one row and an infinity in another
};

/// Where tensors [rows, heads, hidden] lie in memory.
struct Placement {
  Index rows = 1;
  Index heads = 1;
  Index hidden = 1;
  Index row_padding = 0;       ///< elements between rows; each tensor has some more than the one before
  Index head_padding = 0;      ///< elements between heads, likewise
  bool heads_outside = false;  ///< [heads, rows, hidden] in memory
  int offset_elements = 0;     ///< of every tensor from an address that is a multiple of 256 bytes
};

/// Where a row begins, in elements, and how many elements the whole tensor spans.
struct Layout {
  Index row_stride = 0;
  Index head_stride = 0;
  std::size_t span = 0;

  std::size_t row(Index token, Index head) const {
    return static_cast<std::size_t>(token * row_stride + head * head_stride);
  }
};

/// Of the tensor of this number. Padded ones all differ, so that no stride can stand in for another.
Layout layout_of(const Placement& placement, Index number);

HostTensor random_tensor(Values values, DType dtype, std::size_t count, std::mt19937& random);

/// A tensor on the host, as it was before the launch, and on the device.
struct DeviceTensor {
  DeviceTensor(Runtime& runtime, const Placement& placement, HostTensor values, Layout its_layout = {})
      : layout(its_layout),
        before(std::move(values)),
        device(runtime, before.bytes().size(),
               static_cast<std::size_t>(placement.offset_elements) * before.element_bytes()) {
    device.upload(before.bytes().data());
  }

  HostTensor now() const {
    HostTensor tensor = before;
    tensor.bytes() = device.download();
    return tensor;
  }

  Layout layout;
  HostTensor before;
  GuardedBuffer device;
};
using SharedTensor = std::shared_ptr<DeviceTensor>;

/// Rows of random values, those of Values::not_finite included.
SharedTensor random_rows(Runtime& runtime, const Placement& placement, Index number, Values values,
                         DType dtype, std::mt19937& random);
/// Rows of NaN, for outputs.
SharedTensor poisoned_rows(Runtime& runtime, const Placement& placement, Index number, DType dtype);

/// `count` elements from `begin` on as they were before the launch; nothing if there is no such tensor.
std::vector<double> elements_of(const SharedTensor& tensor, std::size_t begin, Index count);
std::vector<double> row_of(const SharedTensor& tensor, Index token, Index head, Index count);

/// Padding must be as it was: compares the bytes of all elements that no row covers. Empty: it is.
std::string changed_padding(const Placement& placement, const DeviceTensor& rows, const HostTensor& after,
                            const char* name);

bool within(double value, reference::Bounds bounds);

}  // namespace lathe::tests
