#include "runtime/ptx/wgmma_descriptor.h"

namespace lathe::runtime::ptx {

namespace {

constexpr unsigned kChunkBytes = 16;
constexpr unsigned kLinesTogether = 8;

/// Addresses and offsets have 18 bits, of which the lowest four are not kept.
std::uint32_t bytes_at(std::uint64_t bits, unsigned from) {
  return static_cast<std::uint32_t>(bits >> from & 0x3fff) << 4;
}

unsigned span_bytes(Swizzle swizzle) {
  switch (swizzle) {
    case Swizzle::none:
      return kChunkBytes;
    case Swizzle::bytes_128:
      return 128;
    case Swizzle::bytes_64:
      return 64;
    case Swizzle::bytes_32:
      return 32;
  }
  return kChunkBytes;
}

}  // namespace

std::optional<MatrixDescriptor> matrix_descriptor(std::uint64_t bits) {
  constexpr std::uint64_t kMeaningful = 0xc00e'3fff'3fff'3fff;
  if ((bits & ~kMeaningful) != 0) return std::nullopt;
  return MatrixDescriptor{.start = bytes_at(bits, 0),
                          .leading = bytes_at(bits, 16),
                          .stride = bytes_at(bits, 32),
                          .base_offset = static_cast<unsigned>(bits >> 49 & 7),
                          .swizzle = static_cast<Swizzle>(bits >> 62)};
}

MatrixLayout::MatrixLayout(const MatrixDescriptor& descriptor, bool is_transposed)
    : start_(descriptor.start),
      line_pitch_(span_bytes(descriptor.swizzle)),
      lines_stride_(descriptor.stride),
      span_chunks_(line_pitch_ / kChunkBytes),
      span_stride_(descriptor.leading),
      phases_(span_chunks_ - 1),
      base_offset_(descriptor.base_offset) {
  // Without a swizzle the names go by what is along K, not by what is along a line.
  if (is_transposed && descriptor.swizzle == Swizzle::none) {
    lines_stride_ = descriptor.leading;
    span_stride_ = descriptor.stride;
  }
}

std::uint32_t MatrixLayout::chunk(unsigned line, unsigned number) const {
  const std::uint32_t address = start_ + line / kLinesTogether * lines_stride_ +
                                line % kLinesTogether * line_pitch_ + number / span_chunks_ * span_stride_ +
                                number % span_chunks_ * kChunkBytes;
  // The permutation follows from the address, not from the line: its pattern repeats every so many times 128
  // bytes, beginning where the base offset says.
  const std::uint32_t phase = ((address >> 7) - base_offset_) & phases_;
  return address ^ phase << 4;
}

}  // namespace lathe::runtime::ptx
