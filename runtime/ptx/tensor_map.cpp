#include "runtime/ptx/tensor_map.h"

#include <cstdint>
#include <cstring>

#include <fmt/format.h>

#include "runtime/base/try.h"

namespace lathe::runtime::ptx {

namespace {

constexpr std::uint64_t kMagic = 0x50414D5F45485441;

/// What the bytes are.
struct Encoded {
  std::uint64_t magic = kMagic;
  std::uint64_t checksum = 0;  ///< of all, with 0 here
  std::uint64_t address = 0;
  std::array<std::uint64_t, TensorMapSpec::kMaxRank> extents{};
  std::array<std::uint64_t, TensorMapSpec::kMaxRank - 1> strides{};  ///< of dimension 1 and on
  std::array<std::uint16_t, TensorMapSpec::kMaxRank> box{};
  std::uint8_t dtype = 0;
  std::uint8_t rank = 0;
  std::uint8_t swizzle = 0;
  std::uint8_t l2_promotion = 0;
  std::array<std::uint8_t, 18> unused{};
};
static_assert(sizeof(Encoded) == TensorMap::kBytes);

/// FNV-1a.
std::uint64_t checksum_of(Encoded map) {
  map.checksum = 0;
  std::array<unsigned char, sizeof map> bytes{};
  std::memcpy(bytes.data(), &map, sizeof map);
  std::uint64_t sum = 0xCBF29CE484222325;
  for (const unsigned char byte : bytes) sum = (sum ^ byte) * 0x100000001B3;
  return sum;
}

}  // namespace

Result<TensorMap> encode_tensor_map(const TensorMapSpec& spec) {
  LATHE_CHECK(check_tensor_map(spec));
  const std::uint64_t row = spec.box[0] * size_of(spec.dtype);
  if (spec.swizzle != Swizzle::none && row != span_of(spec.swizzle)) {
    return Error{
        .code = ErrorCode::unsupported,
        .stage = Stage::launch,
        .message = fmt::format("tensor map: the emulator does not know how a row of {} bytes lies in shared "
                               "memory with a swizzle of {}",
                               row, span_of(spec.swizzle)),
        .hint = "use the swizzle that is as wide as the row"};
  }
  Encoded encoded{.address = reinterpret_cast<std::uintptr_t>(spec.address),
                  .dtype = static_cast<std::uint8_t>(spec.dtype),
                  .rank = static_cast<std::uint8_t>(spec.rank),
                  .swizzle = static_cast<std::uint8_t>(spec.swizzle),
                  .l2_promotion = static_cast<std::uint8_t>(spec.l2_promotion)};
  for (unsigned i = 0; i < spec.rank; ++i) {
    encoded.extents[i] = spec.extents[i];
    encoded.box[i] = static_cast<std::uint16_t>(spec.box[i]);
    if (i != 0) encoded.strides[i - 1] = spec.strides[i];
  }
  encoded.checksum = checksum_of(encoded);
  TensorMap map;
  std::memcpy(map.bytes.data(), &encoded, sizeof encoded);
  return map;
}

std::optional<TensorMapSpec> decode_tensor_map(std::span<const std::byte, TensorMap::kBytes> bytes) {
  Encoded encoded;
  std::memcpy(&encoded, bytes.data(), sizeof encoded);
  if (encoded.magic != kMagic || encoded.checksum != checksum_of(encoded)) return std::nullopt;
  TensorMapSpec spec{.address = reinterpret_cast<const void*>(static_cast<std::uintptr_t>(encoded.address)),
                     .dtype = static_cast<DType>(encoded.dtype),
                     .rank = encoded.rank,
                     .swizzle = static_cast<Swizzle>(encoded.swizzle),
                     .l2_promotion = static_cast<L2Promotion>(encoded.l2_promotion)};
  for (unsigned i = 0; i < spec.rank; ++i) {
    spec.extents[i] = encoded.extents[i];
    spec.box[i] = encoded.box[i];
    spec.strides[i] = i == 0 ? size_of(spec.dtype) : encoded.strides[i - 1];
  }
  return spec;
}

}  // namespace lathe::runtime::ptx
