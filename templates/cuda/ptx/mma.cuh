// Products of small matrices on tensor cores, a warp each: sm_80 and up. Lane l holds, with g = l / 4 and c =
// l % 4: of a (16 x 16), in register i, row g + 8 (i & 1), columns 2 c and 2 c + 1, plus 8 (i >> 1); of b (16
// x 8), in register i, rows 2 c and 2 c + 1, plus 8 i, column g; of d (16 x 8), in float i, row g + 8 (i >>
// 1), column 2 c + (i & 1).
#pragma once

#include "cuda/element.cuh"

/// d += a b, of elements of type T, in float.
template <class T>
__device__ inline void multiply_add(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1);

/// Two products of the same a, with b[0] and b[1], and with b[2] and b[3]. Compilers take the time of one.
template <class T>
__device__ inline void multiply_add(float (&d)[4], float (&e)[4], const unsigned (&a)[4],
                                    const unsigned (&b)[4]);

template <>
__device__ inline void multiply_add<Bf16>(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

template <>
__device__ inline void multiply_add<F16>(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

template <>
__device__ inline void multiply_add<Bf16>(float (&d)[4], float (&e)[4], const unsigned (&a)[4],
                                          const unsigned (&b)[4]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%8,%9,%10,%11}, {%12,%13}, "
      "{%0,%1,%2,%3};\n\t"
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%4,%5,%6,%7}, {%8,%9,%10,%11}, {%14,%15}, "
      "{%4,%5,%6,%7};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(e[0]), "+f"(e[1]), "+f"(e[2]), "+f"(e[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]));
}

template <>
__device__ inline void multiply_add<F16>(float (&d)[4], float (&e)[4], const unsigned (&a)[4],
                                         const unsigned (&b)[4]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%8,%9,%10,%11}, {%12,%13}, "
      "{%0,%1,%2,%3};\n\t"
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%4,%5,%6,%7}, {%8,%9,%10,%11}, {%14,%15}, "
      "{%4,%5,%6,%7};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(e[0]), "+f"(e[1]), "+f"(e[2]), "+f"(e[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]));
}
