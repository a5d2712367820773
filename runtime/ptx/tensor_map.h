// Tensor maps as the emulator encodes them: what the driver makes for a device is opaque to all but that.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include <lathe/error.h>

#include "runtime/tensor_map.h"

namespace lathe::runtime::ptx {

/// Of a tensor map's address in the device's memory.
constexpr std::size_t kTensorMapAlignment = 64;

/// Errors: those of check_tensor_map(); unsupported if the swizzle is wider than the box's innermost row.
Result<TensorMap> encode_tensor_map(const TensorMapSpec& spec);

/// nullopt: no tensor map, or one that was damaged.
std::optional<TensorMapSpec> decode_tensor_map(std::span<const std::byte, TensorMap::kBytes> bytes);

}  // namespace lathe::runtime::ptx
