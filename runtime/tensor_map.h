// Tensor maps: how the TMA unit of sm_90 and later finds a tile of a tensor in global memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <lathe/dtype.h>
#include <lathe/error.h>

namespace lathe::runtime {

/// Bytes of shared memory across which a box's 16-byte chunks are permuted to avoid bank conflicts.
enum class Swizzle : std::uint8_t { none, bytes_32, bytes_64, bytes_128 };

/// Bytes of the swizzle's span; 0 without one.
constexpr std::uint64_t span_of(Swizzle swizzle) {
  return swizzle == Swizzle::none ? 0 : std::uint64_t{16} << static_cast<unsigned>(swizzle);
}

/// Bytes that the L2 cache fetches at once.
enum class L2Promotion : std::uint8_t { none, bytes_64, bytes_128, bytes_256 };

/// A tensor of up to five dimensions and the box that one TMA instruction moves. Dimension 0 is the innermost
/// and contiguous one. What lies outside the tensor is read as zeros and not written.
struct TensorMapSpec {
  static constexpr unsigned kMaxRank = 5;

  const void* address = nullptr;                  ///< device memory, a multiple of 16 bytes
  DType dtype = bf16;                             ///< fp8 moves as bytes
  unsigned rank = 2;                              ///< 1 to 5
  std::array<std::uint64_t, kMaxRank> extents{};  ///< elements, 1 to 2^32
  std::array<std::uint64_t, kMaxRank> strides{};  ///< *bytes* from one index to the next of the same
                                                  ///< dimension, multiples of 16 below 2^40; [0] is not read
  std::array<std::uint32_t, kMaxRank> box{};      ///< elements, 1 to 256; box[0] makes a multiple of 16 bytes
  Swizzle swizzle = Swizzle::none;                ///< at least as wide as the box's innermost row
  L2Promotion l2_promotion = L2Promotion::none;
};

/// What a kernel is given for a tensor: by value, as a `const __grid_constant__` parameter. Opaque to all but
/// the executor that encoded it and its device.
struct alignas(128) TensorMap {
  static constexpr std::size_t kBytes = 128;

  std::array<std::byte, kBytes> bytes{};
};

/// The rules of the driver, which itself would only say CUDA_ERROR_INVALID_VALUE. Errors: invalid_argument
/// naming the field, its value and the rule.
Result<void> check_tensor_map(const TensorMapSpec& spec);

}  // namespace lathe::runtime
