// The tensors of a rope: which of them a spec has, and where its Args keep them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <lathe/rope.h>

namespace lathe::codegen {

/// A stride: its name in RopeArgs, and where that is.
struct RopeStride {
  std::string_view name{};
  std::size_t offset = 0;
};

/// A tensor of rows: [tokens, heads, dim], or a cache of them, [pages, page_size, heads, dim].
struct RopeTensor {
  std::string_view name;
  enum class Role : std::uint8_t { input, output, cache } role = Role::input;
  std::size_t pointer = 0;  ///< offset in RopeArgs
  RopeStride outer{};       ///< of tokens, or pages
  RopeStride entry{};       ///< caches only
  RopeStride head{};
  std::int64_t heads = 0;
  std::int64_t dim = 0;
  DType dtype = f32;
  std::size_t source = 0;  ///< of a result: offset of the input's pointer that it may be
  bool exists = false;     ///< in this spec
  std::string_view doc{};
};

/// All of them, inputs first. REQUIRES: a normalized spec.
std::array<RopeTensor, 12> rope_tensors(const RopeSpec& spec);

/// Elements per access on a GPU: what the proven alignment allows and what divides every part of a row, so
/// that no access reaches beyond one. REQUIRES: a normalized spec.
std::int64_t rope_pack(const RopeSpec& spec);

}  // namespace lathe::codegen
