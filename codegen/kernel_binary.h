// KernelBinary: what a Compiler makes and an Executor loads. Immutable once made.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/kernel.h>

#include "codegen/kernel_source.h"

namespace lathe::codegen {

using Bytes = std::vector<std::byte>;

enum class PayloadKind : std::uint8_t {
  cubin,   ///< machine code of one GPU architecture
  ptx,     ///< text, not NUL-terminated
  object,  ///< relocatable object file of the CPU
};

/// "cubin", "ptx", "object".
std::string_view name_of(PayloadKind kind);

struct Payload {
  PayloadKind kind = PayloadKind::cubin;
  Bytes bytes;

  friend bool operator==(const Payload&, const Payload&) = default;
};

struct KernelBinary {
  std::vector<Payload> payloads{};
  std::vector<EntryPoint> entries{};
  ResourceUse resources{};  ///< the most of any entry
  std::string log{};        ///< the compiler's warnings and report
  std::chrono::nanoseconds compile_time{0};

  const Payload* find(PayloadKind kind) const {
    for (const Payload& payload : payloads) {
      if (payload.kind == kind) return &payload;
    }
    return nullptr;
  }

  friend bool operator==(const KernelBinary&, const KernelBinary&) = default;
};

}  // namespace lathe::codegen
