// Accesses to memory that is not looked at again soon: first to be evicted from the caches.
#pragma once

__device__ inline uint4 load_streaming(const uint4* from) {
  uint4 word;
  asm volatile("ld.global.cs.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(word.x), "=r"(word.y), "=r"(word.z), "=r"(word.w)
               : "l"(from)
               : "memory");
  return word;
}
__device__ inline uint2 load_streaming(const uint2* from) {
  uint2 word;
  asm volatile("ld.global.cs.v2.u32 {%0, %1}, [%2];" : "=r"(word.x), "=r"(word.y) : "l"(from) : "memory");
  return word;
}
__device__ inline unsigned load_streaming(const unsigned* from) {
  unsigned word;
  asm volatile("ld.global.cs.u32 %0, [%1];" : "=r"(word) : "l"(from) : "memory");
  return word;
}

__device__ inline void store_streaming(uint4* to, uint4 word) {
  asm volatile("st.global.cs.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(word.x), "r"(word.y), "r"(word.z),
               "r"(word.w)
               : "memory");
}
__device__ inline void store_streaming(uint2* to, uint2 word) {
  asm volatile("st.global.cs.v2.u32 [%0], {%1, %2};" ::"l"(to), "r"(word.x), "r"(word.y) : "memory");
}
__device__ inline void store_streaming(unsigned* to, unsigned word) {
  asm volatile("st.global.cs.u32 [%0], %1;" ::"l"(to), "r"(word) : "memory");
}
