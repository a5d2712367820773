#include "codegen/ops/kv_index_launch.h"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

#include "codegen/ops/kv_move_error.h"
#include "codegen/ops/kv_move_fields.h"

namespace lathe::codegen {

namespace {

/// REQUIRES: counts in their ranges.
Result<void> check_entries(const KvIndexSide& side) {
  const KvIndexArgs& args = side.args;
  // How many entries a map of pages has, its offsets say, which lie on the device.
  if (args.entries == 0 || side.index.kind == KvIndexKind::pages) return {};
  Index needed = side.tokens;
  if (side.index.kind == KvIndexKind::block_table) {
    if (__builtin_mul_overflow(args.sequences, args.table_width, &needed)) needed = kAnySlots;
  } else if (side.index.kind != KvIndexKind::slots && side.tokens > 0) {
    needed = (args.start + side.tokens - 1) / std::max<Index>(1, side.index.page_size) + 1;
  }
  if (args.entries >= needed) return {};
  return bad_kv_argument(side.move, fmt::format("{}_index.entries is {}, but {} tokens take {}", side.name,
                                                args.entries, side.tokens, needed));
}

}  // namespace

Result<void> check_kv_index(const KvIndexSide& side) {
  const KvIndexArgs& args = side.args;
  const KvIndexKind kind = side.index.kind;
  using enum KvIndexKind;
  const auto missing = [&](const char* field) {
    return bad_kv_argument(side.move, fmt::format("{}_index.{} is null, a map of {} reads it", side.name,
                                                  field, enum_name(kind)));
  };
  if (kind != identity && args.index == nullptr) return missing("index");
  const bool has_sequences = kind == block_table || kind == pages;
  if (has_sequences && args.offsets == nullptr) return missing("offsets");
  if (kind == pages && args.rows == nullptr) return missing("rows");
  if (kind == pages && args.positions == nullptr) return missing("positions");
  const std::size_t size = size_of(side.index.dtype);
  for (const void* pointer : {args.index, args.offsets, args.rows, args.positions}) {
    if (reinterpret_cast<std::uintptr_t>(pointer) % size == 0) continue;
    return bad_kv_argument(side.move, fmt::format("{}_index: {} is not a multiple of the {} bytes of {}",
                                                  side.name, pointer, size, name_of(side.index.dtype)));
  }
  if (args.start < 0 || args.start > kAnySlots - side.tokens) {
    return bad_kv_argument(side.move, fmt::format("{}_index.start is {}", side.name, args.start));
  }
  constexpr Index kMostSequences = Index{1} << 46;
  if (has_sequences && (args.sequences < 0 || args.sequences > kMostSequences)) {
    return bad_kv_argument(
        side.move, fmt::format("{}_index.sequences is {}, allowed are 0 to 2^46", side.name, args.sequences));
  }
  if (kind == block_table && args.table_width <= 0) {
    return bad_kv_argument(
        side.move, fmt::format("{}_index.table_width is {}, a block table has a column at least", side.name,
                               args.table_width));
  }
  return check_entries(side);
}

}  // namespace lathe::codegen
