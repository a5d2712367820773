#include "codegen/ops/rope_tensors.h"

#include <algorithm>

namespace lathe::codegen {

namespace {

using A = RopeArgs;
using enum RopeTensor::Role;

bool appends(const RopeSpec& spec) {
  return spec.append != RopeAppend::none;
}

std::array<RopeTensor, 5> inputs_of(const RopeSpec& spec) {
  const bool has_q = spec.heads > 0;
  const bool has_k = spec.kv_heads > 0;
  return {{
      {.name = "q",
       .role = input,
       .pointer = offsetof(A, q),
       .outer = {"q_token_stride", offsetof(A, q_token_stride)},
       .head = {"q_head_stride", offsetof(A, q_head_stride)},
       .heads = spec.heads,
       .dim = spec.head_dim,
       .dtype = spec.dtype,
       .exists = has_q,
       .doc = "queries"},
      {.name = "k",
       .role = input,
       .pointer = offsetof(A, k),
       .outer = {"k_token_stride", offsetof(A, k_token_stride)},
       .head = {"k_head_stride", offsetof(A, k_head_stride)},
       .heads = spec.kv_heads,
       .dim = spec.head_dim,
       .dtype = spec.dtype,
       .exists = has_k,
       .doc = "keys"},
      {.name = "q_nope",
       .role = input,
       .pointer = offsetof(A, q_nope),
       .outer = {"q_nope_token_stride", offsetof(A, q_nope_token_stride)},
       .head = {"q_nope_head_stride", offsetof(A, q_nope_head_stride)},
       .heads = spec.heads,
       .dim = spec.q_nope_dim,
       .dtype = spec.dtype,
       .exists = has_q && spec.q_nope_dim > 0,
       .doc = "the part of q that is only copied"},
      {.name = "k_nope",
       .role = input,
       .pointer = offsetof(A, k_nope),
       .outer = {"k_nope_token_stride", offsetof(A, k_nope_token_stride)},
       .head = {"k_nope_head_stride", offsetof(A, k_nope_head_stride)},
       .heads = spec.kv_heads,
       .dim = spec.k_nope_dim,
       .dtype = spec.dtype,
       .exists = has_k && spec.k_nope_dim > 0,
       .doc = "the part of k that is only copied"},
      {.name = "v",
       .role = input,
       .pointer = offsetof(A, v),
       .outer = {"v_token_stride", offsetof(A, v_token_stride)},
       .head = {"v_head_stride", offsetof(A, v_head_stride)},
       .heads = spec.kv_heads,
       .dim = spec.v_dim,
       .dtype = spec.dtype,
       .exists = has_k && appends(spec) && spec.v_dim > 0,
       .doc = "values"},
  }};
}

std::array<RopeTensor, 4> results_of(const RopeSpec& spec) {
  const DType out = spec.out_dtype.value_or(spec.dtype);
  const bool has_q = spec.heads > 0;
  const bool stores_k = spec.kv_heads > 0 && (!appends(spec) || spec.store_k);
  return {{
      {.name = "q_out",
       .role = output,
       .pointer = offsetof(A, q_out),
       .outer = {"q_out_token_stride", offsetof(A, q_out_token_stride)},
       .head = {"q_out_head_stride", offsetof(A, q_out_head_stride)},
       .heads = spec.heads,
       .dim = spec.head_dim,
       .dtype = out,
       .source = offsetof(A, q),
       .exists = has_q,
       .doc = "the result; may be q"},
      {.name = "k_out",
       .role = output,
       .pointer = offsetof(A, k_out),
       .outer = {"k_out_token_stride", offsetof(A, k_out_token_stride)},
       .head = {"k_out_head_stride", offsetof(A, k_out_head_stride)},
       .heads = spec.kv_heads,
       .dim = spec.head_dim,
       .dtype = out,
       .source = offsetof(A, k),
       .exists = stores_k,
       .doc = "the result; may be k"},
      {.name = "q_nope_out",
       .role = output,
       .pointer = offsetof(A, q_nope_out),
       .outer = {"q_nope_out_token_stride", offsetof(A, q_nope_out_token_stride)},
       .head = {"q_nope_out_head_stride", offsetof(A, q_nope_out_head_stride)},
       .heads = spec.heads,
       .dim = spec.q_nope_dim,
       .dtype = out,
       .source = offsetof(A, q_nope),
       .exists = has_q && spec.q_nope_dim > 0,
       .doc = "the copy; may be q_nope"},
      {.name = "k_nope_out",
       .role = output,
       .pointer = offsetof(A, k_nope_out),
       .outer = {"k_nope_out_token_stride", offsetof(A, k_nope_out_token_stride)},
       .head = {"k_nope_out_head_stride", offsetof(A, k_nope_out_head_stride)},
       .heads = spec.kv_heads,
       .dim = spec.k_nope_dim,
       .dtype = out,
       .source = offsetof(A, k_nope),
       .exists = stores_k && spec.k_nope_dim > 0,
       .doc = "the copy; may be k_nope"},
  }};
}

std::array<RopeTensor, 3> caches_of(const RopeSpec& spec) {
  const DType cached = spec.cache_dtype.value_or(spec.dtype);
  const bool has_cache = appends(spec) && spec.kv_heads > 0;
  return {{
      {.name = "k_cache",
       .role = cache,
       .pointer = offsetof(A, k_cache),
       .outer = {"k_cache_page_stride", offsetof(A, k_cache_page_stride)},
       .entry = {"k_cache_entry_stride", offsetof(A, k_cache_entry_stride)},
       .head = {"k_cache_head_stride", offsetof(A, k_cache_head_stride)},
       .heads = spec.kv_heads,
       .dim = spec.head_dim,
       .dtype = cached,
       .exists = has_cache,
       .doc = "pages of rotated keys"},
      {.name = "k_nope_cache",
       .role = cache,
       .pointer = offsetof(A, k_nope_cache),
       .outer = {"k_nope_cache_page_stride", offsetof(A, k_nope_cache_page_stride)},
       .entry = {"k_nope_cache_entry_stride", offsetof(A, k_nope_cache_entry_stride)},
       .head = {"k_nope_cache_head_stride", offsetof(A, k_nope_cache_head_stride)},
       .heads = spec.kv_heads,
       .dim = spec.k_nope_dim,
       .dtype = cached,
       .exists = has_cache && spec.k_nope_dim > 0,
       .doc = "pages of k_nope"},
      {.name = "v_cache",
       .role = cache,
       .pointer = offsetof(A, v_cache),
       .outer = {"v_cache_page_stride", offsetof(A, v_cache_page_stride)},
       .entry = {"v_cache_entry_stride", offsetof(A, v_cache_entry_stride)},
       .head = {"v_cache_head_stride", offsetof(A, v_cache_head_stride)},
       .heads = spec.kv_heads,
       .dim = spec.v_dim,
       .dtype = cached,
       .exists = has_cache && spec.v_dim > 0,
       .doc = "pages of values"},
  }};
}

}  // namespace

std::array<RopeTensor, 12> rope_tensors(const RopeSpec& spec) {
  std::array<RopeTensor, 12> all{};
  auto end = std::ranges::copy(inputs_of(spec), all.begin()).out;
  end = std::ranges::copy(results_of(spec), end).out;
  std::ranges::copy(caches_of(spec), end);
  return all;
}

std::int64_t rope_pack(const RopeSpec& spec) {
  std::int64_t pack = spec.alignment / static_cast<std::int64_t>(size_of(spec.dtype));
  const std::int64_t run = spec.pairs == RopePairs::half ? spec.rotary_dim / 2 : spec.rotary_dim;
  while (run % pack != 0 || spec.rotary_offset % pack != 0 || spec.head_dim % pack != 0) pack /= 2;
  return pack;
}

}  // namespace lathe::codegen
