#include "runtime/base/kv_functions.h"

#include "runtime/base/kv_layouts.h"

namespace lathe::base {

namespace {

/// One layer's: functions of engines work on one at a time.
KvModel one_layer(KvModel model) {
  model.layers = 1;
  return model;
}

KvView view(const char* axes, const KvModel& m, std::int64_t heads, std::int64_t content, DType dtype) {
  KvView result = kv_view(axes, one_layer(m), KvBase::single, 1, heads, content);
  result.dtype = dtype;
  return result;
}

KvView rows(const KvModel& m, std::int64_t heads, std::int64_t content) {
  return view(heads == 1 ? "N C" : "N H C", m, heads, content, m.dtype);
}

KvScale given_scale(std::int64_t first) {
  KvScale scale;
  scale.kind = KvScaleKind::table;
  scale.first = first;
  return scale;
}

KvScale stored_scale(std::int64_t group, std::int64_t offset, std::int64_t in_view, double amax_floor) {
  KvScale scale;
  scale.kind = KvScaleKind::stored;
  scale.group = group;
  scale.view = in_view;
  scale.offset = offset;
  scale.amax_floor = amax_floor;
  return scale;
}

constexpr KvIndex kSlots{KvIndexKind::slots, i64, 0};
constexpr KvIndex kBlockTable{KvIndexKind::block_table, i32, 0};
constexpr KvIndex kPages{KvIndexKind::pages, i32, 0};

/// Keys and values from tensors of their own into caches of their own; fp8 with one scale each, 0 and 1 of
/// scales[0].
KvSides reshape(const KvModel& m, const char* keys, const char* values, bool is_fp8) {
  const DType dtype = is_fp8 ? e4m3 : m.dtype;
  KvSides sides;
  sides.src = {rows(m, m.heads, m.head_size), rows(m, m.heads, m.head_size)};
  sides.dst = {view(keys, m, m.heads, m.head_size, dtype), view(values, m, m.heads, m.head_size, dtype)};
  if (sides.dst[0].axes.find('x') != std::string::npos) {
    sides.dst[0].split = 16 / static_cast<std::int64_t>(size_of(dtype));
  }
  sides.dst_index = kSlots;
  sides.segments.resize(2);
  sides.segments[1].src_view = sides.segments[1].dst_view = 1;
  for (std::size_t i = 0; is_fp8 && i < 2; ++i) {
    sides.segments[i].dst_scale = given_scale(static_cast<std::int64_t>(i));
  }
  return sides;
}

/// The same into one tensor of pages, [NB, 2, ...].
KvSides append(const KvModel& m, const char* axes) {
  KvSides sides = reshape(m, axes, axes, false);
  const std::int64_t plane =
      m.block_size * m.heads * m.head_size * static_cast<std::int64_t>(size_of(m.dtype));
  for (KvView& cache : sides.dst) cache.strides = {2 * plane, 0, 0, 0};
  sides.dst[1].base = KvBase::shared;
  sides.dst[1].offset = plane;
  sides.dst_index = kPages;
  return sides;
}

KvSides append_apart(const KvModel& m, const char* axes) {
  KvSides sides = reshape(m, axes, axes, false);
  sides.dst_index = kPages;
  return sides;
}

/// Latent and rotated part into one row.
KvSides concat(const KvModel& m, bool is_fp8) {
  KvSides sides;
  sides.src = {rows(m, 1, m.latent), rows(m, 1, m.rotated)};
  sides.dst = {view("B N C", m, 1, m.latent + m.rotated, is_fp8 ? e4m3 : m.dtype)};
  sides.dst_index = kSlots;
  sides.segments.resize(2);
  sides.segments[1].src_view = 1;
  sides.segments[1].dst_offset = m.latent * static_cast<std::int64_t>(size_of(sides.dst[0].dtype));
  if (is_fp8) sides.segments[0].dst_scale = sides.segments[1].dst_scale = given_scale(0);
  return sides;
}

/// Rows of 656 bytes: e4m3, a scale per 128, the rotated part as it is.
KvView quantised_latent(const KvModel& m) {
  const std::int64_t rotated = m.rotated * static_cast<std::int64_t>(size_of(m.dtype));
  return view("B N C", m, 1, m.latent + m.latent / 128 * 4 + rotated, u8);
}

KvSides concat_quantised(const KvModel& m) {
  KvSides sides;
  sides.src = {rows(m, 1, m.latent), rows(m, 1, m.rotated)};
  sides.dst = {quantised_latent(m)};
  sides.dst_index = kSlots;
  sides.segments.resize(2);
  sides.segments[0].dst_dtype = e4m3;
  // The scale is the smallest normal float at least.
  sides.segments[0].dst_scale = stored_scale(128, m.latent, 0, 448 * 0x1p-126);
  sides.segments[1].src_view = 1;
  sides.segments[1].dst_offset = m.latent + m.latent / 128 * 4;
  sides.segments[1].dst_dtype = m.dtype;
  return sides;
}

KvSides upconvert(const KvModel& m) {
  KvSides sides;
  sides.src = {quantised_latent(m)};
  sides.dst = {rows(m, 1, m.latent + m.rotated)};
  sides.src_index = kBlockTable;
  sides.segments.resize(2);
  sides.segments[0].count = m.latent;
  sides.segments[0].src_dtype = e4m3;
  sides.segments[0].src_scale = stored_scale(128, m.latent, 0, 0);
  sides.segments[1].src_offset = m.latent + m.latent / 128 * 4;
  sides.segments[1].dst_offset = m.latent * static_cast<std::int64_t>(size_of(m.dtype));
  sides.segments[1].src_dtype = m.dtype;
  return sides;
}

std::vector<KvView> indexer_page(const KvModel& m) {
  const std::int64_t block = m.block_size * (m.indexer + 4);
  std::vector<KvView> views{view("B N C", m, 1, m.indexer, e4m3), view("B N C", m, 1, 1, f32)};
  views[0].strides = {block, m.indexer, 0};
  views[1].strides = {block, 4, 0};
  views[1].base = KvBase::shared;
  views[1].offset = m.block_size * m.indexer;
  return views;
}

KvSides quantise_indexer(const KvModel& m, KvScaleType type) {
  KvSides sides;
  sides.src = {rows(m, 1, m.indexer)};
  sides.dst = indexer_page(m);
  sides.dst_index = kSlots;
  sides.segments.resize(1);
  sides.segments[0].dst_scale = stored_scale(0, 0, 1, 1e-4);
  sides.segments[0].dst_scale.type = type;
  return sides;
}

KvSides gather_indexer(const KvModel& m) {
  KvSides sides;
  sides.src = indexer_page(m);
  sides.dst = {view("N C", m, 1, m.indexer, e4m3), view("N C", m, 1, 1, f32)};
  sides.src_index = kBlockTable;
  sides.segments.resize(2);
  sides.segments[1].src_view = sides.segments[1].dst_view = 1;
  return sides;
}

KvSides gather_latent(const KvModel& m, bool is_fp8) {
  KvSides sides;
  sides.src = {view("B N C", m, 1, m.latent + m.rotated, is_fp8 ? e4m3 : m.dtype)};
  sides.dst = {rows(m, 1, m.latent + m.rotated)};
  sides.src_index = kBlockTable;
  sides.segments.resize(1);
  if (is_fp8) sides.segments[0].src_scale = given_scale(0);
  return sides;
}

/// Whole blocks of all layers, from pairs of block numbers.
KvSides copy_blocks(const KvModel& m, std::int64_t planes, std::int64_t block_elements,
                    KvPlace from = KvPlace::device, KvPlace to = KvPlace::device) {
  KvView blocks = kv_view("P B C", m, KvBase::layer, planes, 1, block_elements);
  blocks.block_size = 1;
  if (planes == 1) blocks.axes = "B C";
  KvSides sides;
  sides.src = {blocks};
  sides.dst = {blocks};
  sides.src[0].place = from;
  sides.dst[0].place = to;
  sides.src_index = sides.dst_index = {KvIndexKind::pairs, i64, 1};
  return sides;
}

std::int64_t block_elements(const KvModel& m) {
  return m.block_size * m.heads * m.head_size;
}
std::int64_t latent_block_elements(const KvModel& m) {
  return m.block_size * (m.latent + m.rotated);
}

/// A pool of SGLang's: on the device a tensor per layer, on the host all in one.
struct Pool {
  const char* axes;
  KvBase base;
};
constexpr Pool kLayerFirst{"N H C", KvBase::plane_layer};
constexpr Pool kPageFirst{"P N L H C", KvBase::single};
constexpr Pool kPageHead{"P B H N L C", KvBase::single};
constexpr Pool kLatentLayerFirst{"N C", KvBase::layer};
constexpr Pool kLatentPageFirst{"N L C", KvBase::single};

KvView view_of(const KvModel& m, const Pool& pool) {
  const bool is_latent = std::string_view(pool.axes).find('H') == std::string_view::npos;
  KvView all = is_latent ? kv_view(pool.axes, m, pool.base, 1, 1, m.latent + m.rotated)
                         : kv_view(pool.axes, m, pool.base, 2, m.heads, m.head_size);
  if (pool.base == KvBase::single) all.place = KvPlace::host;
  return all;
}

/// Rows from one pool to another, by slots on both sides.
KvSides exchange(const KvModel& m, const Pool& from, const Pool& to) {
  KvSides sides;
  sides.src = {view_of(m, from)};
  sides.dst = {view_of(m, to)};
  sides.src_index = sides.dst_index = kSlots;
  return sides;
}

using enum KvDirection;

constexpr KvFunction kFunctions[] = {
    {"reshape_and_cache", "vLLM: keys and values to caches with keys in pieces", scatter,
     [](const KvModel& m) { return reshape(m, "B H Cx N x", "B H C N", false); }},
    {"reshape_and_cache_fp8", "vLLM: the same to e4m3, by given scales", scatter,
     [](const KvModel& m) { return reshape(m, "B H Cx N x", "B H C N", true); }},
    {"reshape_and_cache_flash", "vLLM: keys and values to [NB, BS, NH, HS] each", scatter,
     [](const KvModel& m) { return reshape(m, "B N H C", "B N H C", false); }},
    {"reshape_and_cache_flash_hnd", "vLLM: keys and values to [NB, NH, BS, HS] each", scatter,
     [](const KvModel& m) { return reshape(m, "B H N C", "B H N C", false); }},
    {"reshape_and_cache_flash_fp8", "vLLM: to [NB, BS, NH, HS] in e4m3, by given scales", scatter,
     [](const KvModel& m) { return reshape(m, "B N H C", "B N H C", true); }},
    {"reshape_and_cache_flash_hnd_fp8", "vLLM: to [NB, NH, BS, HS] in e4m3, by given scales", scatter,
     [](const KvModel& m) { return reshape(m, "B H N C", "B H N C", true); }},
    {"concat_and_cache_mla", "vLLM: latent and rotated part to one row", scatter,
     [](const KvModel& m) { return concat(m, false); }},
    {"concat_and_cache_mla_fp8", "vLLM: the same to e4m3, by a given scale", scatter,
     [](const KvModel& m) { return concat(m, true); }},
    {"concat_and_cache_ds_mla", "vLLM fp8_ds_mla: rows of 656 bytes, scales written per 128", scatter,
     concat_quantised},
    {"indexer_k_quant_and_cache", "vLLM: indexer keys to e4m3, scales behind the block's values", scatter,
     [](const KvModel& m) { return quantise_indexer(m, KvScaleType::f32); }},
    {"indexer_k_quant_and_cache_ue8m0", "vLLM: the same with scales that are powers of two", scatter,
     [](const KvModel& m) { return quantise_indexer(m, KvScaleType::f32_power_of_two); }},
    {"append_paged_kv_cache_nhd", "FlashInfer: keys and values to pages [2, BS, NH, HS]", scatter,
     [](const KvModel& m) { return append(m, "B N H C"); }},
    {"append_paged_kv_cache_hnd", "FlashInfer: keys and values to pages [2, NH, BS, HS]", scatter,
     [](const KvModel& m) { return append(m, "B H N C"); }},
    {"append_paged_k_v_caches_nhd", "FlashInfer: keys and values to caches of their own, [NB, BS, NH, HS]",
     scatter, [](const KvModel& m) { return append_apart(m, "B N H C"); }},
    {"append_paged_k_v_caches_hnd", "FlashInfer: keys and values to caches of their own, [NB, NH, BS, HS]",
     scatter, [](const KvModel& m) { return append_apart(m, "B H N C"); }},
    {"append_paged_mla_kv_cache", "FlashInfer: latent and rotated part to pages of their own", scatter,
     [](const KvModel& m) {
       KvSides sides;
       sides.src = {rows(m, 1, m.latent), rows(m, 1, m.rotated)};
       sides.dst = {view("B N C", m, 1, m.latent, m.dtype), view("B N C", m, 1, m.rotated, m.dtype)};
       sides.dst_index = kPages;
       sides.segments.resize(2);
       sides.segments[1].src_view = sides.segments[1].dst_view = 1;
       return sides;
     }},
    {"cp_gather_cache", "vLLM: rows by block table", gather,
     [](const KvModel& m) { return gather_latent(m, false); }},
    {"gather_and_maybe_dequant_cache", "vLLM: rows by block table, from e4m3 by a given scale", gather,
     [](const KvModel& m) { return gather_latent(m, true); }},
    {"cp_gather_and_upconvert_fp8_kv_cache", "vLLM: rows of 656 bytes by block table, to 576 elements",
     gather, upconvert},
    {"cp_gather_indexer_k_quant_cache", "vLLM: the indexer's pages to values and scales", gather,
     gather_indexer},
    {"copy_blocks", "vLLM: blocks by pairs of numbers, keys and values of all layers", gather,
     [](const KvModel& m) { return copy_blocks(m, 2, block_elements(m)); }},
    {"copy_blocks_mla", "vLLM: the same of latent rows", gather,
     [](const KvModel& m) { return copy_blocks(m, 1, latent_block_elements(m)); }},
    {"swap_blocks", "vLLM: blocks by pairs of numbers to memory of the host", gather,
     [](const KvModel& m) { return copy_blocks(m, 2, block_elements(m), KvPlace::device, KvPlace::host); }},
    {"swap_blocks_mla", "vLLM: the same of latent rows", gather,
     [](const KvModel& m) {
       return copy_blocks(m, 1, latent_block_elements(m), KvPlace::device, KvPlace::host);
     }},
    {"swap_blocks", "vLLM: blocks by pairs of numbers from memory of the host", scatter,
     [](const KvModel& m) { return copy_blocks(m, 2, block_elements(m), KvPlace::host); }},
    {"swap_blocks_mla", "vLLM: the same of latent rows", scatter,
     [](const KvModel& m) { return copy_blocks(m, 1, latent_block_elements(m), KvPlace::host); }},
    {"transfer_kv_lf_pf",
     "SGLang: lists per layer to a pool of slots outside layers, [slots, NL, NH, HS] for keys, then values",
     gather, [](const KvModel& m) { return exchange(m, kLayerFirst, kPageFirst); }},
    {"transfer_kv_lf_ph",
     "SGLang: lists per layer to a pool by heads, [NB, NH, BS, NL, HS] for keys, then values", gather,
     [](const KvModel& m) { return exchange(m, kLayerFirst, kPageHead); }},
    {"transfer_kv_lf_lf", "SGLang: lists per layer to lists per layer", gather,
     [](const KvModel& m) { return exchange(m, kLayerFirst, kLayerFirst); }},
    {"transfer_kv_lf_pf_mla", "SGLang: lists of latent rows per layer to a pool [slots, NL, 576]", gather,
     [](const KvModel& m) { return exchange(m, kLatentLayerFirst, kLatentPageFirst); }},
    {"transfer_kv_lf_lf_mla", "SGLang: lists of latent rows per layer to such lists", gather,
     [](const KvModel& m) { return exchange(m, kLatentLayerFirst, kLatentLayerFirst); }},
    {"transfer_kv_pf_lf", "SGLang: a pool of slots outside layers to lists per layer", scatter,
     [](const KvModel& m) { return exchange(m, kPageFirst, kLayerFirst); }},
    {"transfer_kv_ph_lf", "SGLang: a pool by heads to lists per layer", scatter,
     [](const KvModel& m) { return exchange(m, kPageHead, kLayerFirst); }},
    {"transfer_kv_pf_lf_mla", "SGLang: a pool of latent rows to lists per layer", scatter,
     [](const KvModel& m) { return exchange(m, kLatentPageFirst, kLatentLayerFirst); }},
};

}  // namespace

std::span<const KvFunction> kv_functions() {
  return kFunctions;
}

}  // namespace lathe::base
