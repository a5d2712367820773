// What rope's Args hold, for tools and tests that fill them by name.
#include <cstddef>
#include <vector>

#include "codegen/ops/rope.h"
#include "codegen/ops/rope_tensors.h"

namespace lathe::codegen {

namespace {

using A = RopeArgs;
using enum ArgumentKind;

void append_indices(std::vector<Argument>& arguments, const RopeSpec& spec) {
  const auto index = [&](std::string_view name, DType dtype, std::size_t offset, std::vector<Extent> shape,
                         std::string_view doc) {
    arguments.push_back({name, input, dtype, offset, std::move(shape), doc});
  };
  const DType position = spec.position_dtype;
  if (spec.positions == RopePositions::ids) {
    std::vector<Extent> shape{{0, "tokens"}};
    if (!spec.sections.empty())
      shape.insert(shape.begin(), {static_cast<std::int64_t>(spec.sections.size())});
    index("positions", position, offsetof(A, positions), shape, "of each token");
  } else if (spec.positions == RopePositions::ragged) {
    index("indptr", position, offsetof(A, indptr), {{1, "batch"}}, "where each sequence's tokens begin");
    index("offsets", position, offsetof(A, offsets), {{0, "batch"}},
          "position of each sequence's first token");
  }
  const DType slot = spec.slot_dtype;
  if (spec.append == RopeAppend::slots) {
    index("slots", slot, offsetof(A, slots), {{0, "tokens"}}, "page * page_size + entry; negative: skipped");
  } else if (spec.append == RopeAppend::pages) {
    index("page_indptr", slot, offsetof(A, page_indptr), {{1, "batch"}}, "where each sequence's pages begin");
    index("page_indices", slot, offsetof(A, page_indices), {{0, "page_entries"}},
          "pages, sequence by sequence");
    index("batch_indices", slot, offsetof(A, batch_indices), {{0, "tokens"}}, "sequence of each token");
    index("cache_positions", slot, offsetof(A, cache_positions), {{0, "tokens"}}, "number in its sequence");
  }
}

void append_angles_and_norm(std::vector<Argument>& arguments, const RopeSpec& spec) {
  if (spec.table_dtype) {
    const std::vector<Extent> table{{0, "table_rows"}, {spec.rotary_dim / 2}};
    arguments.push_back({"cos", input, *spec.table_dtype, offsetof(A, cos), table, "a row per position"});
    arguments.push_back({"sin", input, *spec.table_dtype, offsetof(A, sin), table, "a row per position"});
  }
  if (!spec.qk_norm || !spec.norm_has_weight) return;
  const DType weight = spec.norm_weight_dtype.value_or(spec.dtype);
  const std::vector<Extent> shape{{spec.head_dim}};
  if (spec.heads > 0)
    arguments.push_back(
        {"q_norm_weight", input, weight, offsetof(A, q_norm_weight), shape, "of each head of q"});
  if (spec.kv_heads > 0)
    arguments.push_back(
        {"k_norm_weight", input, weight, offsetof(A, k_norm_weight), shape, "of each head of k"});
}

void append_scalars(std::vector<Argument>& arguments, const RopeSpec& spec) {
  const auto count = [&](std::string_view name, std::size_t offset, std::string_view doc) {
    arguments.push_back({name, scalar, i64, offset, {}, doc, false});
  };
  const auto number = [&](std::string_view name, std::size_t offset, std::string_view doc) {
    arguments.push_back({name, scalar, f32, offset, {}, doc, false});
  };
  count("tokens", offsetof(A, tokens), "tokens");
  const bool appends = spec.append != RopeAppend::none;
  if (spec.positions == RopePositions::offset)
    count("offset", offsetof(A, offset), "position of the first token");
  if (spec.positions == RopePositions::ragged || spec.append == RopeAppend::pages)
    count("batch", offsetof(A, batch), "sequences");
  if (appends) count("pages", offsetof(A, pages), "of each cache");
  if (spec.table_dtype) {
    count("table_rows", offsetof(A, table_rows), "positions that the table has");
    count("cos_row_stride", offsetof(A, cos_row_stride), "elements; 0: tightly packed");
    count("sin_row_stride", offsetof(A, sin_row_stride), "elements; 0: tightly packed");
  }
  if (!spec.sections.empty()) {
    count("positions_section_stride", offsetof(A, positions_section_stride), "elements; 0: tightly packed");
  }
  const auto is_fp8 = [](const std::optional<DType>& dtype) { return dtype == e4m3 || dtype == e5m2; };
  const bool stores_fp8 = is_fp8(spec.out_dtype);
  const bool caches_fp8 = appends && is_fp8(spec.cache_dtype);
  if (stores_fp8 && spec.heads > 0) number("q_scale", offsetof(A, q_scale), "multiplies q; default 1");
  if ((stores_fp8 || caches_fp8) && spec.kv_heads > 0)
    number("k_scale", offsetof(A, k_scale), "multiplies k; default 1");
  if (caches_fp8 && spec.v_dim > 0) number("v_scale", offsetof(A, v_scale), "multiplies v; default 1");
  if (spec.qk_norm) number("epsilon", offsetof(A, epsilon), "added to the mean square; default 1e-6");
}

}  // namespace

std::vector<Argument> arguments_of_rope(const KernelSpec& any) {
  const auto& spec = std::get<RopeSpec>(any);
  std::vector<Argument> arguments;
  std::vector<Argument> strides;
  for (const RopeTensor& tensor : rope_tensors(spec)) {
    if (!tensor.exists) continue;
    const bool is_cache = tensor.role == RopeTensor::Role::cache;
    std::vector<Extent> shape{{0, is_cache ? "pages" : "tokens"}};
    if (is_cache) shape.push_back({spec.page_size});
    shape.push_back({tensor.heads});
    shape.push_back({tensor.dim});
    arguments.push_back({tensor.name,
                         tensor.role == RopeTensor::Role::input ? input
                         : is_cache                             ? update
                                                                : output,
                         tensor.dtype, tensor.pointer, std::move(shape), tensor.doc});
    const auto stride = [&](const RopeStride& of) {
      strides.push_back({of.name, scalar, i64, of.offset, {}, "elements; 0: tightly packed", false});
    };
    stride(tensor.outer);
    if (is_cache) stride(tensor.entry);
    stride(tensor.head);
  }
  append_indices(arguments, spec);
  append_angles_and_norm(arguments, spec);
  append_scalars(arguments, spec);
  arguments.insert(arguments.end(), strides.begin(), strides.end());
  return arguments;
}

}  // namespace lathe::codegen
