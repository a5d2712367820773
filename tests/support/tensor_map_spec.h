// A tensor map's description that breaks no rule.
#pragma once

#include <cstdint>

#include "runtime/tensor_map.h"

namespace lathe::tests {

inline const void* device_address(std::uintptr_t value) {
  return reinterpret_cast<const void*>(value);
}

/// [1000, 4096] of bf16 in boxes of 128 x 64.
inline runtime::TensorMapSpec matrix_spec() {
  return {.address = device_address(0x7000),
          .dtype = bf16,
          .rank = 2,
          .extents = {4096, 1000},
          .strides = {0, 8192},
          .box = {64, 128},
          .swizzle = runtime::Swizzle::bytes_128,
          .l2_promotion = runtime::L2Promotion::bytes_256};
}

}  // namespace lathe::tests
