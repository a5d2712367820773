// Launch arguments of rope. Compiled for the host and, as part of the kernel, for the device: no includes but
// our own, no standard library, the same layout everywhere.
#pragma once

#include <lathe/args_base.h>

namespace lathe {

/// Rotary embedding: each pair (x, y) of a head's rotated elements becomes (x cos a - y sin a, y cos a + x
/// sin a), where a is the token's position times the pair's frequency.
///
/// Shapes: q, q_out [tokens, heads, head_dim]; k, k_out [tokens, kv_heads, head_dim]; q_nope, q_nope_out
/// [tokens, heads, q_nope_dim]; k_nope, k_nope_out [tokens, kv_heads, k_nope_dim]; v [tokens, kv_heads,
/// v_dim]; k_cache, k_nope_cache, v_cache [pages, page_size, kv_heads, that tensor's dim]. Which of them
/// there are is the spec's business; the others are ignored. Strides count elements of their tensor between
/// the starts of neighbouring tokens, heads, pages or entries of a page; the last dimension is contiguous. A
/// stride of 0 means tightly packed, in the order of the shapes above (NHD); HND pages are those with an
/// entry stride of one row and a head stride of page_size rows.
///
/// In place: q_out may be q and k_out may be k, likewise the nope parts, if dtype and strides are equal,
/// which a launch checks. Other overlaps are not allowed; slices of one packed tensor (q, k and v of a
/// projection) do not overlap. Where a token goes in the cache must be its own: of two tokens with one slot,
/// either may be kept, element by element; the race check of an emulated target reports it. Where duplicates
/// have to be settled, kv_scatter does.
struct RopeArgs {
  const void* q = nullptr;
  const void* k = nullptr;
  void* q_out = nullptr;
  void* k_out = nullptr;  ///< not used when k goes to a cache only
  const void* q_nope = nullptr;
  const void* k_nope = nullptr;
  void* q_nope_out = nullptr;
  void* k_nope_out = nullptr;  ///< not used when k goes to a cache only
  const void* v = nullptr;
  void* k_cache = nullptr;
  void* k_nope_cache = nullptr;
  void* v_cache = nullptr;
  const void* q_norm_weight = nullptr;  ///< [head_dim]
  const void* k_norm_weight = nullptr;  ///< [head_dim]

  /// With a table: row p holds the cosines, or sines, of position p, rotary_dim / 2 of them. One table of
  /// both side by side is two pointers with the same stride.
  const void* cos = nullptr;
  const void* sin = nullptr;
  Index table_rows = 0;      ///< the rotated elements of a position beyond them become NaN
  Index cos_row_stride = 0;  ///< 0: rotary_dim / 2
  Index sin_row_stride = 0;

  /// Positions by id: [tokens], with sections [sections, tokens].
  const void* positions = nullptr;
  Index positions_section_stride = 0;  ///< between sections; 0: tokens
  Index offset = 0;                    ///< positions by offset: token t is at offset + t
  /// Ragged positions: token t of sequence s, indptr[s] <= t < indptr[s + 1], is at offsets[s] + t -
  /// indptr[s]. A token of no sequence is left out: nothing of it is written.
  const void* indptr = nullptr;   ///< [batch + 1], ascending
  const void* offsets = nullptr;  ///< [batch]
  Index batch = 0;                ///< of ragged positions and of page tables

  /// Slots: token t goes to entry slots[t] % page_size of page slots[t] / page_size. A slot that is negative,
  /// or of a page beyond `pages`, is skipped.
  const void* slots = nullptr;  ///< [tokens]
  /// Page tables: token t, number n = cache_positions[t] of sequence s = batch_indices[t], goes to entry n %
  /// page_size of page page_indices[page_indptr[s] + n / page_size]. A sequence, number or page that is
  /// negative or beyond what there is, is skipped.
  const void* page_indptr = nullptr;      ///< [batch + 1]
  const void* page_indices = nullptr;     ///< [page_indptr[batch]]
  const void* batch_indices = nullptr;    ///< [tokens]
  const void* cache_positions = nullptr;  ///< [tokens]
  Index pages = 0;                        ///< of each cache

  Index tokens = 0;  ///< may be 0: nothing is launched
  Index q_token_stride = 0;
  Index q_head_stride = 0;
  Index k_token_stride = 0;
  Index k_head_stride = 0;
  Index q_out_token_stride = 0;
  Index q_out_head_stride = 0;
  Index k_out_token_stride = 0;
  Index k_out_head_stride = 0;
  Index q_nope_token_stride = 0;
  Index q_nope_head_stride = 0;
  Index k_nope_token_stride = 0;
  Index k_nope_head_stride = 0;
  Index q_nope_out_token_stride = 0;
  Index q_nope_out_head_stride = 0;
  Index k_nope_out_token_stride = 0;
  Index k_nope_out_head_stride = 0;
  Index v_token_stride = 0;
  Index v_head_stride = 0;
  Index k_cache_page_stride = 0;
  Index k_cache_entry_stride = 0;
  Index k_cache_head_stride = 0;
  Index k_nope_cache_page_stride = 0;
  Index k_nope_cache_entry_stride = 0;
  Index k_nope_cache_head_stride = 0;
  Index v_cache_page_stride = 0;
  Index v_cache_entry_stride = 0;
  Index v_cache_head_stride = 0;

  // fp8 results are rounded after a multiplication by these: the reciprocals of the scales that restore them.
  float q_scale = 1.0f;
  float k_scale = 1.0f;
  float v_scale = 1.0f;
  float epsilon = 1e-6f;  ///< of the norm: > 0 or 0
};

}  // namespace lathe
