// Kernels for the CPU from a line of C++, for tests of what loads and runs them.
#pragma once

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "codegen/clang_compiler.h"

namespace lathe::tests {

/// Compiled for this machine; the entry is `kernel`.
inline codegen::KernelBinary cpu_binary(const std::string& text) {
  const codegen::KernelSource source{.name = "cpu/kernel.cpp", .text = text, .entries = {{"kernel"}}};
  return codegen::make_clang_compiler()->compile(source, codegen::host_cpu_target()).value();
}

inline codegen::KernelBinary with_object(codegen::KernelBinary binary, codegen::Bytes object) {
  binary.payloads = {{.kind = codegen::PayloadKind::object, .bytes = std::move(object)}};
  return binary;
}

template <class Args>
std::vector<std::byte> bytes_of(const Args& args) {
  std::vector<std::byte> bytes(sizeof args);
  std::memcpy(bytes.data(), &args, sizeof args);
  return bytes;
}

}  // namespace lathe::tests
