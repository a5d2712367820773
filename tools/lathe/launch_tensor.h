// LaunchTensor: one tensor of a launch, packed on the host and strided on the device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <lathe/buffer.h>
#include <lathe/error.h>
#include <lathe/runtime.h>

#include "codegen/op.h"

namespace lathe::tools {

struct LaunchTensor {
  codegen::Argument argument;
  std::vector<std::int64_t> shape;    ///< every extent, ones included
  std::vector<std::int64_t> strides;  ///< elements, one per extent; the last is 1
  std::vector<std::byte> elements{};  ///< packed; of inputs
  Buffer buffer{};

  std::int64_t element_count() const;
  /// Elements from the first to the last, gaps included.
  std::int64_t span_elements() const;

  /// Allocates `buffer` and fills it: elements where there are some, bytes of 0xFF, which are NaN in the
  /// floating-point formats, everywhere else, so that an output that a kernel forgets is seen.
  Result<void> upload(Runtime& runtime);
  /// The elements on the device, packed. REQUIRES: upload().
  Result<std::vector<std::byte>> download(Runtime& runtime) const;
};

/// The tensor's strides as the Args struct has them: its members NAME_*_stride in the order of the extents.
/// Extents without such a member, and strides of 0, are tightly packed.
std::vector<std::int64_t> strides_of(const LaunchTensor& tensor, std::span<const codegen::Argument> arguments,
                                     std::span<const std::byte> args);

}  // namespace lathe::tools
