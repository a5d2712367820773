// Words of 1 to 16 bytes, read and written in one access.
#pragma once

#include "common/kv_facts.h"
#include "cuda/ptx/streaming.cuh"

template <int kBytes>
struct WordOf;
template <>
struct WordOf<16> {
  using Type = uint4;
};
template <>
struct WordOf<8> {
  using Type = uint2;
};
template <>
struct WordOf<4> {
  using Type = unsigned;
};
template <>
struct WordOf<2> {
  using Type = unsigned short;
};
template <>
struct WordOf<1> {
  using Type = unsigned char;
};

/// What lies on the host is read and written once: it need not stay in the caches.
template <KvPlace kPlace, class Word>
__device__ inline Word load_word(const char* from) {
  if constexpr (kPlace == KvPlace::host && sizeof(Word) >= 4) {
    return load_streaming(reinterpret_cast<const Word*>(from));
  } else {
    return *reinterpret_cast<const Word*>(from);
  }
}

template <KvPlace kPlace, class Word>
__device__ inline void store_word(char* to, Word word) {
  if constexpr (kPlace == KvPlace::host && sizeof(Word) >= 4) {
    store_streaming(reinterpret_cast<Word*>(to), word);
  } else {
    *reinterpret_cast<Word*>(to) = word;
  }
}
