#include "runtime/base/kv_layouts.h"

#include <string>

namespace lathe::base {

namespace {

using Views = std::vector<KvView>;

/// Keys and values, all heads.
KvView cache(const char* axes, const KvModel& m, KvBase base = KvBase::layer) {
  return kv_view(axes, m, base, 2, m.heads, m.head_size);
}
/// Keys and values of a head as one content.
KvView fused(const char* axes, const KvModel& m, KvBase base = KvBase::single) {
  return kv_view(axes, m, base, 1, m.heads, 2 * m.head_size);
}
KvView latent(const char* axes, const KvModel& m, KvBase base = KvBase::layer) {
  return kv_view(axes, m, base, 1, 1, m.latent + m.rotated);
}

/// Values of a block, then their scales: one row of both views.
Views indexer_page(const KvModel& m) {
  const std::int64_t block = m.block_size * (m.indexer + 4);
  KvView values = kv_view("B N C", m, KvBase::layer, 1, 1, m.indexer);
  values.strides = {block, m.indexer, 0};
  values.dtype = e4m3;
  KvView scales = kv_view("B N C", m, KvBase::shared, 1, 1, 1);
  scales.strides = {block, 4, 0};
  scales.dtype = f32;
  scales.offset = m.block_size * m.indexer;
  return {values, scales};
}

Views latent_and_rotated(const KvModel& m) {
  return {kv_view("B N C", m, KvBase::layer, 1, 1, m.latent),
          kv_view("B N C", m, KvBase::layer, 1, 1, m.rotated)};
}

constexpr KvLayout kCaches[] = {
    {"flash_nhd", "vLLM FlashAttention: [2, NB, BS, NH, HS] per layer",
     [](const KvModel& m) -> Views { return {cache("P B N H C", m)}; }},
    {"flash_hnd", "vLLM FlashAttention, heads outside: [2, NB, NH, BS, HS] per layer",
     [](const KvModel& m) -> Views { return {cache("P B H N C", m)}; }},
    {"flashinfer_nhd", "vLLM FlashInfer: [NB, 2, BS, NH, HS] per layer",
     [](const KvModel& m) -> Views { return {cache("B P N H C", m)}; }},
    {"flashinfer_hnd", "vLLM FlashInfer, heads outside: [NB, 2, NH, BS, HS] per layer",
     [](const KvModel& m) -> Views { return {cache("B P H N C", m)}; }},
    {"cross_layer_nhd", "vLLM cross-layer: [NB, NL, 2, BS, NH, HS]",
     [](const KvModel& m) -> Views { return {cache("B L P N H C", m, KvBase::single)}; }},
    {"cross_layer_hnd", "TensorRT-LLM cross-layer: [NB, NL, 2, NH, BS, HS]",
     [](const KvModel& m) -> Views { return {cache("B L P H N C", m, KvBase::single)}; }},
    {"sglang_mha", "SGLang: lists of keys and values, [slots, NH, HS] each",
     [](const KvModel& m) -> Views { return {cache("N H C", m, KvBase::plane_layer)}; }},
    {"sglang_mha_blocks", "SGLang, in blocks: lists of [NB, BS, NH, HS]",
     [](const KvModel& m) -> Views { return {cache("B N H C", m, KvBase::plane_layer)}; }},
    {"sglang_page_first", "SGLang host pool: [slots, NL, NH, HS] for keys, then values",
     [](const KvModel& m) -> Views { return {cache("P N L H C", m, KvBase::single)}; }},
    {"sglang_page_head", "SGLang host pool by heads: [NB, NH, BS, NL, HS] for keys, then values",
     [](const KvModel& m) -> Views { return {cache("P B H N L C", m, KvBase::single)}; }},
    {"packed_hnd", "vLLM keys beside values: [NB, NH, BS, 2 * HS] per layer",
     [](const KvModel& m) -> Views { return {cache("B H N P C", m)}; }},
    {"packed_nhd", "vLLM keys beside values: [NB, BS, NH, 2 * HS] per layer",
     [](const KvModel& m) -> Views { return {cache("B N H P C", m)}; }},
    {"x_split", "vLLM's first kernels: keys [NB, NH, HS / x, BS, x], values [NB, NH, HS, BS] per layer",
     [](const KvModel& m) -> Views {
       KvView keys = kv_view("B H Cx N x", m, KvBase::layer, 1, m.heads, m.head_size);
       keys.split = 16 / static_cast<std::int64_t>(size_of(m.dtype));
       return {keys, kv_view("B H C N", m, KvBase::layer, 1, m.heads, m.head_size)};
     }},
    {"lbhnc", "vLLM standard layout LBHNC: [NL, NB, NH, BS, 2 * HS]",
     [](const KvModel& m) -> Views { return {fused("L B H N C", m)}; }},
    {"lbnhc", "vLLM standard layout LBNHC: [NL, NB, BS, NH, 2 * HS]",
     [](const KvModel& m) -> Views { return {fused("L B N H C", m)}; }},
    {"blhnc", "vLLM standard layout BLHNC: [NB, NL, NH, BS, 2 * HS]",
     [](const KvModel& m) -> Views { return {fused("B L H N C", m)}; }},
    {"blnhc", "vLLM standard layout BLNHC: [NB, NL, BS, NH, 2 * HS]",
     [](const KvModel& m) -> Views { return {fused("B L N H C", m)}; }},
    {"bhlnc", "vLLM standard layout BHLNC: [NB, NH, NL, BS, 2 * HS]",
     [](const KvModel& m) -> Views { return {fused("B H L N C", m)}; }},
    {"lhbnc", "vLLM standard layout LHBNC: [NL, NH, NB, BS, 2 * HS]",
     [](const KvModel& m) -> Views { return {fused("L H B N C", m)}; }},
    {"content_hnd", "vLLM content size: [NB, NH, BS, CS] per layer",
     [](const KvModel& m) -> Views { return {fused("B H N C", m, KvBase::layer)}; }},
    {"content_nhd", "vLLM content size: [NB, BS, NH, CS] per layer",
     [](const KvModel& m) -> Views { return {fused("B N H C", m, KvBase::layer)}; }},
    {"mla", "vLLM MLA: [NB, BS, 576] per layer",
     [](const KvModel& m) -> Views { return {latent("B N C", m)}; }},
    {"mla_656", "vLLM MLA, fp8_ds_mla: [NB, BS] rows of 512 e4m3, 4 f32 scales, 64 bf16 per layer",
     [](const KvModel& m) -> Views {
       KvView view = kv_view("B N C", m, KvBase::layer, 1, 1, m.latent + m.latent / 128 * 4 + 2 * m.rotated);
       view.dtype = u8;
       return {view};
     }},
    {"sglang_mla", "SGLang MLA: [slots, 1, 576] per layer",
     [](const KvModel& m) -> Views { return {latent("N C", m)}; }},
    {"dsa_indexer", "DSA indexer: per block BS x 128 e4m3, then BS f32 scales, per layer", indexer_page},
    {"mla_planes", "vLLM-Ascend MLA: [NB, BS, 1, 512] and [NB, BS, 1, 64] per layer", latent_and_rotated},
    {"mla_dsa_planes", "vLLM-Ascend DSA: the same, and the indexer's keys, [NB, BS, 1, 128]",
     [](const KvModel& m) -> Views {
       Views planes = latent_and_rotated(m);
       planes.push_back(kv_view("B N C", m, KvBase::layer, 1, 1, m.indexer));
       return planes;
     }}};

constexpr KvLayout kObjects[] = {
    {"2ltd", "LMCache KV_2LTD: [2, L, T, D]",
     [](const KvModel& m) -> Views { return {cache("P L N H C", m, KvBase::single)}; }},
    {"l2td", "LMCache L2TD: [L, 2, T, D]",
     [](const KvModel& m) -> Views { return {cache("L P N H C", m, KvBase::single)}; }},
    {"t2d", "LMCache KV_T2D: [T, 2, D] per layer",
     [](const KvModel& m) -> Views { return {cache("N P H C", m)}; }},
    {"2td", "LMCache KV_2TD: [2, T, D] per layer",
     [](const KvModel& m) -> Views { return {cache("P N H C", m)}; }},
    {"2ltd_chunks", "LMCache KV_2LTD: an object [2, L, T, D] per chunk of tokens, the last one short",
     [](const KvModel& m) -> Views {
       KvView view = cache("P L N H C", m, KvBase::chunk);
       view.block_size = m.chunk;
       view.short_tail = true;
       return {view};
     }}};

}  // namespace

KvView kv_view(const char* axes, const KvModel& model, KvBase base, std::int64_t planes, std::int64_t heads,
               std::int64_t content) {
  KvView view;
  view.axes = axes;
  view.base = base;
  view.dtype = model.dtype;
  view.layers = model.layers;
  view.planes = planes;
  view.block_size = std::string_view(axes).find('B') == std::string_view::npos ? 1 : model.block_size;
  view.heads = heads;
  view.content = content;
  return view;
}

std::span<const KvLayout> kv_caches() {
  return kCaches;
}

std::span<const KvLayout> kv_objects() {
  return kObjects;
}

}  // namespace lathe::base
