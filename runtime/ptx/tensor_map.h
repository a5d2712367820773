// Tensor maps as the emulator encodes them: what the driver makes for a device is opaque to all but that.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>

#include <lathe/error.h>

#include "runtime/tensor_map.h"

namespace lathe::runtime::ptx {

struct alignas(64) TensorMap {
  static constexpr std::size_t kBytes = 128;

  std::array<std::byte, kBytes> bytes{};
};

/// Errors: those of check_tensor_map(); unsupported if the swizzle is wider than the box's innermost row.
Result<TensorMap> encode_tensor_map(const TensorMapSpec& spec);

/// nullopt: no tensor map, or one that was damaged.
std::optional<TensorMapSpec> decode_tensor_map(std::span<const std::byte, TensorMap::kBytes> bytes);

}  // namespace lathe::runtime::ptx
