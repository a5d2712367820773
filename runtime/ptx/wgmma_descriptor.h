// The matrix descriptors of wgmma: where the elements of A or B lie in shared memory. Pure functions.
#pragma once

#include <cstdint>
#include <optional>

namespace lathe::runtime::ptx {

/// What the two highest bits of a descriptor say: within which stretch of bytes chunks change places.
enum class Swizzle : std::uint8_t { none, bytes_128, bytes_64, bytes_32 };

/// Offsets and address in bytes.
struct MatrixDescriptor {
  std::uint32_t start = 0;
  std::uint32_t leading = 0;
  std::uint32_t stride = 0;
  unsigned base_offset = 0;
  Swizzle swizzle = Swizzle::none;
};

/// nullopt: bits are set that have no meaning.
std::optional<MatrixDescriptor> matrix_descriptor(std::uint64_t bits);

/// Memory is laid out in chunks of 16 bytes, and these in lines. A line runs along K and is a row of A or a
/// column of B; of a transposed matrix it runs along M or N and has one k.
class MatrixLayout {
 public:
  MatrixLayout(const MatrixDescriptor& descriptor, bool is_transposed);

  /// The address of a chunk of a line.
  std::uint32_t chunk(unsigned line, unsigned number) const;

 private:
  std::uint32_t start_;
  std::uint32_t line_pitch_;    ///< from a line to the next of the same eight
  std::uint32_t lines_stride_;  ///< from eight lines to the next eight
  unsigned span_chunks_;        ///< of a line that lie side by side
  std::uint32_t span_stride_;   ///< to the next so many
  unsigned phases_;             ///< 1 less than the number of permutations of chunks
  unsigned base_offset_;
};

}  // namespace lathe::runtime::ptx
