// A launch of kv_gather that fits, for tests to spoil.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "tests/codegen/kv_specs.h"

namespace lathe::tests {

/// A pointer that is aligned and never followed.
inline void* fake(std::uintptr_t value = 4096) {
  return reinterpret_cast<void*>(value);
}

struct KvLaunch {
  KernelSpec spec;
  KvMoveArgs args{};
  std::vector<codegen::EntryPoint> entries{{"lathe_kv_move", {.work_per_block = 16}}};

  explicit KvLaunch(const KvGatherSpec& given = plain_gather()) : spec(normalized(given)) {
    static const void* const table[2] = {fake(), fake()};
    args.tokens = 40;
    args.src[0] = {.table = table, .blocks = 10};
    args.dst[0].base = fake();
    args.src_index.index = fake();
  }
  Result<codegen::Grids> prepare() {
    return codegen::prepare_kv_move(spec, {.entries = entries, .processors = 1},
                                    std::as_writable_bytes(std::span(&args, 1)));
  }
  std::string complaint() {
    const auto result = prepare();
    if (result) return "nothing";
    CHECK(result.error().code == ErrorCode::invalid_argument);
    const std::string& message = result.error().message;
    return message.substr(message.find(": ") + 2);
  }
};

}  // namespace lathe::tests
