// An operand's way from global into shared memory, tile after tile of depth.
#pragma once

#include <lathe/args.h>

#include "cuda/gemm_operand.cuh"
#include "cuda/ptx/copy_part.cuh"
#include "cuda/ptx/shared.cuh"

/// Of lines that are padded with zeros to whole tiles.
constexpr int kPaddedLines = 0;

/// A matrix in global memory, by its contiguous lines of kLineBytes.
template <int kLineBytes>
struct StridedLines {
  static constexpr int kBytes = kLineBytes;
  static constexpr bool kIsGathered = false;
  const char* first;
  lathe::Index stride;  ///< bytes from line to line
  int count;

  __device__ int number(int line) const { return line; }
  __device__ const char* address(int number) const { return first + number * stride; }
};

/// Lines that a list names.
template <int kLineBytes>
struct GatheredLines {
  static constexpr int kBytes = kLineBytes;
  static constexpr bool kIsGathered = true;
  const char* first;
  lathe::Index stride;
  int count;           ///< at least 1
  const int* numbers;  ///< of `count` lines

  __device__ int number(int line) const { return numbers[line < count ? line : 0]; }
  __device__ const char* address(int number) const { return first + number * stride; }
};

/// 16 bytes of which the first `bytes` come from `from`, and the rest are zeros: any number, or, kIsWhole, 16
/// or 0. In accesses of kCopyBytes: 4 and more are asynchronous. Nothing is read behind them.
template <bool kIsWhole, int kCopyBytes>
__device__ inline void copy_unit_part(unsigned shared, const char* from, int bytes) {
  const auto clamped = [](int value, int most) { return value < 0 ? 0 : value > most ? most : value; };
  if constexpr (kIsWhole) {
#pragma unroll
    for (int at = 0; at < 16; at += kCopyBytes)
      copy_part_async<kCopyBytes>(shared + at, from + at, bytes / (16 / kCopyBytes));
  } else if constexpr (kCopyBytes >= 4) {
#pragma unroll
    for (int at = 0; at < 16; at += kCopyBytes)
      copy_part_async<kCopyBytes>(shared + at, from + at, clamped(bytes - at, kCopyBytes));
  } else {
#pragma unroll
    for (int at = 0; at < 16; at += 4) {
      const auto* elements = reinterpret_cast<const unsigned short*>(from + at);
      unsigned word = at < bytes ? elements[0] : 0;
      if (at + 2 < bytes) word |= static_cast<unsigned>(elements[1]) << 16;
      store_shared(shared + at, word);
    }
  }
}

/// The tiles of an operand from a row on, in the order of depth. `Source` is one of the above; its lines are
/// aligned to kCopyBytes. What is not there becomes zeros.
template <class Tile, class Source, int kThreads, int kCopyBytes>
class OperandStream {
 public:
  __device__ OperandStream(const Source& source, int first_row) : source_(source) {
    const int line = static_cast<int>(threadIdx.x) / Tile::kUnits;
    const int first = Tile::kAlongDepth ? first_row + line : line;
    at_ = static_cast<int>(threadIdx.x) % Tile::kUnits * 16 + (Tile::kAlongDepth ? 0 : first_row * 2);
    lines_ = source.count - first;
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      // Of lines that there are not, nothing is read.
      const int number = source.number(i * kLineStep < lines_ ? first + i * kLineStep : 0);
      if constexpr (kHoldsAddresses) from_[i] = source.address(number);
      if constexpr (!kHoldsAddresses) numbers_[i] = number;
    }
    line_ = first;
  }

  /// Begins copies of the next tile.
  __device__ void send(unsigned tile) {
    const unsigned unit = threadIdx.x % Tile::kUnits;
    const unsigned line = threadIdx.x / Tile::kUnits;
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      const char* from = nullptr;
      if constexpr (kHoldsAddresses) from = from_[i] + at_;
      if constexpr (!kHoldsAddresses) from = source_.address(numbers_[i]) + at_;
      const int bytes = kIsWhole ? 16 : Source::kBytes - at_;
      copy_unit_part<kIsWhole && kCopyBytes >= 4, kCopyBytes>(
          tile + Tile::Place::offset(line + i * kLineStep, unit), from, i * kLineStep < lines_ ? bytes : 0);
    }
    advance();
  }

 private:
  static constexpr int kPasses = Tile::kLineCount * Tile::kUnits / kThreads;
  static constexpr int kLineStep = kThreads / Tile::kUnits;
  static_assert(Tile::kLineCount * Tile::kUnits % kThreads == 0 && kThreads % Tile::kUnits == 0,
                "all threads copy as much, each of one column of units");
  static constexpr bool kHoldsAddresses = Tile::kAlongDepth || !Source::kIsGathered;
  /// No tile ends within a line.
  static constexpr bool kIsWhole = Source::kBytes % (Tile::kLineElements * 2) == 0;

  __device__ void advance() {
    if constexpr (Tile::kAlongDepth) {
      at_ += Tile::kTileDepth * 2;
      return;
    }
    lines_ -= Tile::kTileDepth;
    line_ += Tile::kTileDepth;
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      if constexpr (kHoldsAddresses) from_[i] += Tile::kTileDepth * source_.stride;
      // Asked for now, of use when the next tile is sent.
      if constexpr (!kHoldsAddresses) numbers_[i] = source_.number(line_ + i * kLineStep);
    }
  }

  Source source_;
  int at_;     ///< in bytes, in a line
  int line_;   ///< this thread's first of the next tile
  int lines_;  ///< from there on
  const char* from_[kHoldsAddresses ? kPasses : 1];
  int numbers_[kHoldsAddresses ? 1 : kPasses];
};
