// What a launch of rope is checked for, and how large its grid is.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "codegen/ops/rope.h"
#include "codegen/ops/rope_tensors.h"
#include "codegen/ops/strided_rows.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

constexpr std::string_view kOp = "rope";
constexpr Index kMaxTokens = Index{1} << 46;  // beyond any memory; times heads it stays below 2^63

Error bad_argument(std::string message, std::string hint = {}) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::launch,
          .message = "rope: " + std::move(message),
          .hint = std::move(hint)};
}

template <class T>
T& member(RopeArgs& args, std::size_t offset) {
  return *reinterpret_cast<T*>(reinterpret_cast<std::byte*>(&args) + offset);
}

/// As many elements as an access of q has, at most 16 bytes.
Index alignment_of(const RopeSpec& spec, DType dtype, bool is_input) {
  if (is_input) return spec.alignment;
  return std::min<Index>(16, rope_pack(spec) * static_cast<Index>(size_of(dtype)));
}

Result<void> resolve_tensor(const RopeSpec& spec, const RopeTensor& tensor, RopeArgs& args) {
  using enum RopeTensor::Role;
  const bool is_cache = tensor.role == cache;
  const Index alignment = alignment_of(spec, tensor.dtype, tensor.role == input);
  LATHE_CHECK(check_pointer(kOp, tensor.name, member<void*>(args, tensor.pointer), alignment));
  const RowAxis outer{is_cache ? "page" : "token", is_cache ? args.pages : args.tokens,
                      &member<Index>(args, tensor.outer.offset)};
  const RowAxis heads{"head", tensor.heads, &member<Index>(args, tensor.head.offset)};
  StridedRows rows{.op = kOp,
                   .name = tensor.name,
                   .dim = tensor.dim,
                   .element_bytes = static_cast<Index>(size_of(tensor.dtype)),
                   .alignment = alignment,
                   .spec_element_bytes = static_cast<Index>(size_of(spec.dtype)),
                   .is_output = tensor.role != input};
  if (is_cache) {
    const RowAxis axes[] = {
        outer, {"entry", spec.page_size, &member<Index>(args, tensor.entry.offset)}, heads};
    rows.axes = axes;
    return resolve_rows(rows);
  }
  const RowAxis axes[] = {outer, heads};
  rows.axes = axes;
  return resolve_rows(rows);
}

/// In place is fine if every element is; anything else would read what it has overwritten.
Result<void> check_in_place(const RopeSpec& spec, std::span<const RopeTensor> tensors, const RopeTensor& to,
                            RopeArgs& args) {
  const auto from = std::find_if(tensors.begin(), tensors.end(),
                                 [&](const RopeTensor& t) { return t.pointer == to.source && t.exists; });
  const void* const pointer = member<const void*>(args, to.pointer);
  if (to.role != RopeTensor::Role::output || from == tensors.end() ||
      pointer != member<const void*>(args, from->pointer))
    return {};
  if (to.dtype != spec.dtype) {
    return bad_argument(fmt::format("{} is {}, but their dtypes are {} and {}", to.name, from->name,
                                    name_of(to.dtype), name_of(spec.dtype)),
                        "in place needs the same dtype");
  }
  const Index outer = member<Index>(args, to.outer.offset), head = member<Index>(args, to.head.offset);
  const Index from_outer = member<Index>(args, from->outer.offset);
  const Index from_head = member<Index>(args, from->head.offset);
  if (outer == from_outer && head == from_head) return {};
  return bad_argument(fmt::format("{} is {}, but their strides are {} and {} against {} and {} elements",
                                  to.name, from->name, outer, head, from_outer, from_head),
                      "in place needs the same strides");
}

Result<void> check_tensors(const RopeSpec& spec, RopeArgs& args) {
  const auto tensors = rope_tensors(spec);
  for (const RopeTensor& tensor : tensors) {
    void*& pointer = member<void*>(args, tensor.pointer);
    if (tensor.exists) {
      LATHE_CHECK(resolve_tensor(spec, tensor, args));
    } else if (tensor.role != RopeTensor::Role::input) {
      // Kernels write where a pointer says so.
      pointer = nullptr;
    }
  }
  for (const RopeTensor& tensor : tensors) {
    if (tensor.exists) LATHE_CHECK(check_in_place(spec, tensors, tensor, args));
  }
  if (spec.qk_norm && spec.norm_has_weight) {
    const Index alignment = alignment_of(spec, *spec.norm_weight_dtype, false);
    if (spec.heads > 0) LATHE_CHECK(check_pointer(kOp, "q_norm_weight", args.q_norm_weight, alignment));
    if (spec.kv_heads > 0) LATHE_CHECK(check_pointer(kOp, "k_norm_weight", args.k_norm_weight, alignment));
  }
  return {};
}

Result<void> check_table(const RopeSpec& spec, RopeArgs& args) {
  if (!spec.table_dtype) return {};
  if (args.table_rows < 1)
    return bad_argument(fmt::format("table_rows is {}, expected a positive number", args.table_rows));
  const Index pairs =
      spec.pairs == RopePairs::half ? rope_pack(spec) : std::max<Index>(1, rope_pack(spec) / 2);
  const auto bytes = static_cast<Index>(size_of(*spec.table_dtype));
  // Pairs of different positions are read one by one.
  const Index alignment = spec.sections.empty() ? std::min<Index>(16, pairs * bytes) : bytes;
  struct Side {
    std::string_view name;
    const void* pointer;
    Index* stride;
  };
  for (const Side& side :
       {Side{"cos", args.cos, &args.cos_row_stride}, Side{"sin", args.sin, &args.sin_row_stride}}) {
    LATHE_CHECK(check_pointer(kOp, side.name, side.pointer, alignment));
    const RowAxis axes[] = {{"row", args.table_rows, side.stride}};
    LATHE_CHECK(resolve_rows({.op = kOp,
                              .name = side.name,
                              .dim = spec.rotary_dim / 2,
                              .element_bytes = bytes,
                              .alignment = alignment,
                              .axes = axes}));
  }
  return {};
}

Result<void> check_batch(Index batch) {
  if (batch >= 0 && batch <= kMaxTokens) return {};
  return bad_argument(fmt::format("batch is {}, allowed are 0 to 2^46", batch));
}

Result<void> check_positions(const RopeSpec& spec, RopeArgs& args) {
  const auto bytes = static_cast<Index>(size_of(spec.position_dtype));
  switch (spec.positions) {
    case RopePositions::ids: {
      LATHE_CHECK(check_pointer(kOp, "positions", args.positions, bytes));
      if (args.positions_section_stride < 0) {
        return bad_argument(fmt::format("positions_section_stride is {}, negative strides are not supported",
                                        args.positions_section_stride));
      }
      if (args.positions_section_stride == 0) args.positions_section_stride = args.tokens;
      return {};
    }
    case RopePositions::offset:
      return {};
    case RopePositions::ragged:
      LATHE_CHECK(check_batch(args.batch));
      LATHE_CHECK(check_pointer(kOp, "indptr", args.indptr, bytes));
      return check_pointer(kOp, "offsets", args.offsets, bytes);
  }
  return {};
}

Result<void> check_append(const RopeSpec& spec, RopeArgs& args) {
  if (spec.append == RopeAppend::none) return {};
  const auto bytes = static_cast<Index>(size_of(spec.slot_dtype));
  if (args.pages < 1 || args.pages > kMaxTokens)
    return bad_argument(fmt::format("pages is {}, allowed are 1 to 2^46", args.pages));
  if (spec.append == RopeAppend::slots) return check_pointer(kOp, "slots", args.slots, bytes);
  LATHE_CHECK(check_batch(args.batch));
  LATHE_CHECK(check_pointer(kOp, "page_indptr", args.page_indptr, bytes));
  LATHE_CHECK(check_pointer(kOp, "page_indices", args.page_indices, bytes));
  LATHE_CHECK(check_pointer(kOp, "batch_indices", args.batch_indices, bytes));
  return check_pointer(kOp, "cache_positions", args.cache_positions, bytes);
}

Result<void> check_scalars(const RopeSpec& spec, const RopeArgs& args) {
  if (args.tokens < 0 || args.tokens > kMaxTokens)
    return bad_argument(fmt::format("tokens is {}, allowed are 0 to 2^46", args.tokens));
  if (spec.qk_norm && (!std::isfinite(args.epsilon) || args.epsilon < 0))
    return bad_argument(fmt::format("epsilon is {}, it must be finite and not negative", args.epsilon));
  const std::pair<const char*, float> scales[] = {
      {"q_scale", args.q_scale}, {"k_scale", args.k_scale}, {"v_scale", args.v_scale}};
  for (const auto& [name, scale] : scales) {
    if (!std::isfinite(scale) || scale <= 0)
      return bad_argument(fmt::format("{} is {}, it must be finite and above 0", name, scale));
  }
  return {};
}

/// On a GPU with fewer tokens than it takes to fill it, a token's heads are shared by several blocks.
Result<Grids> grids_of(const RopeSpec& spec, const LaunchSite& site, Index tokens) {
  const LaunchFacts& launch = site.entries.front().launch;
  const auto blocks =
      static_cast<std::uint64_t>((tokens + launch.work_per_block - 1) / launch.work_per_block);
  constexpr std::uint64_t kMaxBlocks = 0x7FFFFFFF;
  if (blocks > kMaxBlocks) {
    return bad_argument(
        fmt::format("tokens is {}, {} blocks, more than a grid of 2^31 - 1 takes", tokens, blocks),
        "launch it in parts");
  }
  Grid grid{.x = blocks};
  if (launch.block.x > 1) {
    constexpr std::uint64_t kBlocksPerProcessor = 4;
    const auto wanted = kBlocksPerProcessor * static_cast<std::uint64_t>(site.processors) / blocks;
    const auto heads = static_cast<std::uint64_t>(spec.heads + spec.kv_heads);
    grid.y = static_cast<unsigned>(std::clamp<std::uint64_t>(wanted, 1, (heads + 3) / 4));
  }
  return Grids{grid};
}

}  // namespace

Result<Grids> prepare_rope(const KernelSpec& any, const LaunchSite& site, std::span<std::byte> bytes) {
  const auto& spec = std::get<RopeSpec>(any);
  auto& args = *reinterpret_cast<RopeArgs*>(bytes.data());
  LATHE_CHECK(check_scalars(spec, args));
  if (args.tokens == 0) return Grids{};
  LATHE_CHECK(check_positions(spec, args));
  LATHE_CHECK(check_table(spec, args));
  LATHE_CHECK(check_append(spec, args));
  LATHE_CHECK(check_tensors(spec, args));
  return grids_of(spec, site, args.tokens);
}

}  // namespace lathe::codegen
