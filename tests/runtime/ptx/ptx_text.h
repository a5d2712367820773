// Pieces of PTX for tests.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/ptx/parser.h"
#include "tests/support/catch.h"

namespace lathe::testing {

inline std::string module_text(std::string_view rest) {
  return ".version 9.0\n.target sm_90a\n.address_size 64\n" + std::string(rest);
}

/// The body of a kernel begins in line 5.
inline std::string kernel_text(std::string_view body) {
  return module_text(".visible .entry k(.param .u64 p, .param .u32 n) {\n" + std::string(body) + "\n}\n");
}

inline runtime::ptx::Module parsed(std::string text) {
  auto module = runtime::ptx::parse(std::move(text));
  INFO((module ? std::string{} : module.error().text()));
  REQUIRE(module.has_value());
  return std::move(*module);
}

/// The first function of a module, together with what its views point into.
struct ParsedKernel {
  runtime::ptx::Module module;
  const runtime::ptx::Function* operator->() const { return &module.functions.front(); }
  const runtime::ptx::Instruction& operator[](std::size_t i) const {
    return module.functions.front().code.at(i);
  }
};

/// With registers of every kind: %r, %rs, %rd, %f, %fd, %p.
inline ParsedKernel kernel(std::string_view body) {
  constexpr std::string_view kRegisters =
      ".reg .b32 %r<32>; .reg .b16 %rs<8>; .reg .b64 %rd<8>; .reg .f32 %f<8>; .reg .f64 %fd<8>; "
      ".reg .pred %p<8>;\n";
  return {parsed(kernel_text(std::string(kRegisters) + std::string(body)))};
}

inline Error error_of(std::string text) {
  auto module = runtime::ptx::parse(std::move(text));
  REQUIRE_FALSE(module.has_value());
  return module.error();
}

/// What an error says, without the line before it and the quoted statement behind.
inline std::string complaint(std::string text) {
  const std::string message = error_of(std::move(text)).message;
  const std::size_t begin = message.find(": ") + 2;
  return message.substr(begin, message.find(" in `") - begin);
}

inline std::string complaint_of_module(std::string_view text) {
  return complaint(module_text(text));
}

/// With %r<4>, %rd<4> and %p<4>.
inline std::string complaint_of_kernel(std::string_view text) {
  constexpr std::string_view kRegisters = ".reg .b32 %r<4>; .reg .b64 %rd<4>; .reg .pred %p<4>;\n";
  return complaint(kernel_text(std::string(kRegisters) + std::string(text)));
}

}  // namespace lathe::testing
