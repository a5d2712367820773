// What the tests of NVRTC share: the compiler that this machine has, if any, and small kernels.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "codegen/nvrtc_compiler.h"
#include "tests/support/catch.h"

namespace lathe::tests {

/// As the product would open it: LATHE_NVRTC, else the usual places.
inline std::string nvrtc_path() {
  const char* path = std::getenv("LATHE_NVRTC");
  return path == nullptr ? "" : path;
}

/// nullptr where there is no NVRTC; the test then says so and ends.
inline std::unique_ptr<codegen::Compiler> nvrtc_or_skip() {
  auto compiler = codegen::open_nvrtc({.path = nvrtc_path()});
  if (compiler) return *std::move(compiler);
  WARN("skipped: " << compiler.error().message);
  return nullptr;
}

inline codegen::KernelSource kernel(std::string text) {
  return {.name = "cuda/test.cu", .text = std::move(text), .headers = {}, .entries = {{"entry"}}};
}

inline codegen::KernelSource good_kernel() {
  return kernel(
      "extern \"C\" __global__ void __launch_bounds__(128) entry(float* x, int n) {\n"
      "  __shared__ float cell[32];\n"
      "  int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
      "  cell[threadIdx.x % 32] = x[i];\n"
      "  __syncthreads();\n"
      "  if (i < n) x[i] = 2 * cell[31 - threadIdx.x % 32];\n"
      "}\n");
}

}  // namespace lathe::tests
