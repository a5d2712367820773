// Copies of words from and to anywhere.
#pragma once

#include "cuda/kv_word.cuh"

struct WordMove {
  const char* from;  ///< null: nothing is moved
  char* to;
};

/// The block's threads move items [begin, end), which `move_of` gives the addresses of. Several per thread
/// are read before any is written, so that they are under way together.
template <int kBytes, int kThreads, KvPlace kFrom, KvPlace kTo, class MoveOf>
__device__ inline void copy_words(int begin, int end, MoveOf move_of) {
  using Word = typename WordOf<kBytes>::Type;
  constexpr int kUnroll = 4;
  for (int first = begin + static_cast<int>(threadIdx.x); first < end; first += kThreads * kUnroll) {
    Word words[kUnroll];
    char* to[kUnroll];
#pragma unroll
    for (int i = 0; i < kUnroll; ++i) {
      const int item = first + i * kThreads;
      to[i] = nullptr;
      if (item < end) {
        const WordMove move = move_of(item);
        if (move.from != nullptr) {
          to[i] = move.to;
          words[i] = load_word<kFrom, Word>(move.from);
        }
      }
    }
#pragma unroll
    for (int i = 0; i < kUnroll; ++i) {
      if (to[i] != nullptr) store_word<kTo>(to[i], words[i]);
    }
  }
}
