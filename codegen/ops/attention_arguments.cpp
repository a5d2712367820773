// What AttentionArgs holds, by name.
#include <cstddef>
#include <vector>

#include "codegen/ops/attention.h"

namespace lathe::codegen {

namespace {

using A = AttentionArgs;
using enum ArgumentKind;

/// The shape of a tensor of keys or values, of `dim` elements per head.
std::vector<Extent> kv_shape(const AttentionSpec& spec, std::int64_t heads, std::int64_t dim) {
  switch (spec.storage) {
    case KvStorage::contiguous:
      return {{0, "requests"}, {0, "kv_length"}, {heads}, {dim}};
    case KvStorage::ragged:
      return {{0, "kv_tokens"}, {heads}, {dim}};
    case KvStorage::paged:
      break;
  }
  return {{0, "pages"}, {spec.page_size}, {heads}, {dim}};
}

void append_tensors(const AttentionSpec& spec, std::vector<Argument>& arguments) {
  const std::int64_t key = spec.head_dim - spec.rest_dim;
  const DType stored = spec.kv_dtype.value_or(spec.dtype);
  const auto rows = [&](std::int64_t dim) {
    return std::vector<Extent>{{0, "tokens"}, {spec.query_heads}, {dim}};
  };
  arguments.push_back({"q", input, spec.dtype, offsetof(A, q), rows(key), "queries"});
  arguments.push_back({"k", input, stored, offsetof(A, k), kv_shape(spec, spec.kv_heads, key), "keys"});
  if (spec.rest_dim > 0) {
    arguments.push_back({"q_rest", input, spec.dtype, offsetof(A, q_rest), rows(spec.rest_dim),
                         "the last rest_dim elements of the queries"});
    arguments.push_back({"k_rest", input, stored, offsetof(A, k_rest), kv_shape(spec, 1, spec.rest_dim),
                         "the last rest_dim elements of the keys"});
  }
  if (!spec.values_are_keys) {
    arguments.push_back(
        {"v", input, stored, offsetof(A, v), kv_shape(spec, spec.kv_heads, spec.value_dim), "values"});
  }
  arguments.push_back({"o", output, spec.dtype, offsetof(A, o), rows(spec.value_dim), "the result"});
  if (spec.store_lse) {
    arguments.push_back({"lse",
                         output,
                         f32,
                         offsetof(A, lse),
                         {{0, "tokens"}, {spec.query_heads}},
                         "log2 of the sums of exp(logits)"});
  }
  if (spec.storage == KvStorage::paged) {
    arguments.push_back({"page_indices",
                         input,
                         spec.index_dtype,
                         offsetof(A, page_indices),
                         {{0, "listed_pages"}},
                         "pages of all requests, one after the other"});
  }
  if (spec.mask == AttentionMask::custom) {
    arguments.push_back({"mask",
                         input,
                         u8,
                         offsetof(A, mask),
                         {{0, "mask_bytes"}},
                         "bits, lowest first; each request's "
                         "begin at a byte"});
  }
}

void append_per_head(const AttentionSpec& spec, std::vector<Argument>& arguments) {
  const std::vector<Extent> queries{{spec.query_heads}};
  const std::vector<Extent> scales{{spec.kv_scale == AttentionScale::head ? spec.kv_heads : 1}};
  if (spec.has_alibi) {
    arguments.push_back({"alibi_slopes", input, f32, offsetof(A, alibi_slopes), queries, "per query head"});
  }
  if (spec.has_sinks) {
    arguments.push_back({"sinks", input, f32, offsetof(A, sinks), queries, "logits of a key of value 0"});
  }
  if (spec.kv_scale != AttentionScale::none) {
    arguments.push_back({"k_scale", input, f32, offsetof(A, k_scale), scales, "multiplies what is stored"});
    arguments.push_back({"v_scale", input, f32, offsetof(A, v_scale), scales, "multiplies what is stored"});
  }
}

void append_hook_data(const AttentionSpec& spec, std::vector<Argument>& arguments) {
  if (spec.hooks == AttentionHooks{}) return;
  arguments.push_back({"hook_data",
                       input,
                       f32,
                       offsetof(A, hook_data),
                       {{0, "hook_values"}},
                       "what hooks see as data; anything may stand there, tools take floats",
                       false});
}

void append_scalars(const AttentionSpec& spec, std::vector<Argument>& arguments) {
  arguments.push_back({"softmax_scale",
                       scalar,
                       f32,
                       offsetof(A, softmax_scale),
                       {},
                       "of the logits; default 1 / sqrt(head_dim)",
                       false});
  if (spec.has_soft_cap) {
    arguments.push_back({"soft_cap", scalar, f32, offsetof(A, soft_cap), {}, "greater than 0"});
  }
  if (spec.has_window) {
    arguments.push_back({"window_left", scalar, i64, offsetof(A, window_left), {}, "keys to the left"});
  }
}

}  // namespace

std::vector<Argument> arguments_of_attention(const KernelSpec& any) {
  const auto& spec = std::get<AttentionSpec>(any);
  std::vector<Argument> arguments;
  append_tensors(spec, arguments);
  append_per_head(spec, arguments);
  append_hook_data(spec, arguments);
  append_scalars(spec, arguments);
  return arguments;
}

}  // namespace lathe::codegen
