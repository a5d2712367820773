// Values that a compiler does not know.
#pragma once

/// The same number. What follows from it is computed where it is asked for, and not kept in registers from
/// before a loop.
__device__ inline int computed_here(int number) {
  asm volatile("" : "+r"(number));
  return number;
}
