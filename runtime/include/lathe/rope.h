// The spec of rotary embeddings.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <lathe/dtype.h>
#include <lathe/rms_norm.h>
#include <lathe/rope_args.h>
#include <lathe/rope_frequencies.h>

namespace lathe {

/// Which elements make a pair, of n = rotary_dim rotated ones.
enum class RopePairs : std::uint8_t {
  half,         ///< i and i + n / 2 (GPT-NeoX, Llama in Hugging Face's form)
  interleaved,  ///< 2i and 2i + 1 (GPT-J, Llama 4, DeepSeek)
};

/// Where a token's position comes from. See RopeArgs.
enum class RopePositions : std::uint8_t {
  ids,
  offset,
  ragged,
};

/// With several positions per token, which one a pair takes.
enum class RopeSections : std::uint8_t {
  consecutive,  ///< sections[0] pairs the first position, sections[1] the second ... (Qwen2-VL)
  interleaved,  ///< pair i position i % n while i < n * sections[i % n], else the first (Qwen3-VL)
};

/// Where keys and values go besides k_out: into pages of a cache.
enum class RopeAppend : std::uint8_t {
  none,
  slots,  ///< by a slot per token
  pages,  ///< by a page table per sequence
};

/// Rotary embedding of queries and keys in one launch, fused with what stands beside it. See RopeArgs for the
/// tensors.
struct RopeSpec {
  using Args = RopeArgs;

  std::int64_t heads = 0;          ///< of q; 0: no q
  std::int64_t kv_heads = 0;       ///< of k and v; 0: no k
  std::int64_t head_dim = 0;       ///< elements of a head of q and k, 2 to 1024
  std::int64_t rotary_dim = 0;     ///< how many are rotated, an even number; 0: all behind rotary_offset
  std::int64_t rotary_offset = 0;  ///< where they begin; elements that are not rotated are copied
  RopePairs pairs = RopePairs::half;
  DType dtype = bf16;                ///< of q, k and v: f32, f16 or bf16
  std::optional<DType> out_dtype{};  ///< of q_out and k_out: dtype, e4m3 or e5m2; unset: dtype
  RopePositions positions = RopePositions::ids;
  DType position_dtype = i64;  ///< of positions, indptr and offsets: i32 or i64
  RopeFrequencies frequencies{};
  std::optional<DType>
      table_dtype{};  ///< f32, f16 or bf16: cos and sin are read, not computed; unset: computed
  std::vector<std::int64_t> sections{};  ///< pairs of each position of a token (mRoPE); empty: one position
  RopeSections section_order = RopeSections::consecutive;
  /// Turns back: the backward pass of a rotation. It undoes one too, where frequencies do not scale the
  /// result (yarn and longrope multiply by their attention factor both ways).
  bool inverse = false;

  bool qk_norm = false;                      ///< each head of q and k is RMS-normalised first
  bool norm_has_weight = true;               ///< false: x * rstd
  std::optional<DType> norm_weight_dtype{};  ///< f32, f16 or bf16; unset: dtype
  double norm_weight_offset = 0.0;           ///< added to the weights
  /// gemma: nothing is rounded between norm and rotation; llama and none: as by rms_norm and then rope.
  Casting norm_casting = Casting::gemma;

  std::int64_t q_nope_dim = 0;  ///< elements per head of q_nope, which is copied to q_nope_out; 0: none
  std::int64_t k_nope_dim = 0;  ///< elements per head of k_nope, copied where k goes (MLA's latent); 0: none

  RopeAppend append = RopeAppend::none;
  bool store_k = false;                ///< with append: k_out and k_nope_out are written too
  std::int64_t v_dim = 0;              ///< with append: elements per head of v, which is copied; 0: no v
  std::int64_t page_size = 16;         ///< with append: entries of a page, 1 to 65536
  DType slot_dtype = i64;              ///< with append: of slots and the page tables' arrays, i32 or i64
  std::optional<DType> cache_dtype{};  ///< with append: dtype, e4m3 or e5m2; unset: dtype

  /// Bytes that every pointer to q, k, v and their nope parts, and every stride times the element's size, is
  /// a multiple of: a power of two from one element to 16. 0: the largest that tightly packed rows have.
  /// Results, tables and weights of another dtype are aligned to as many elements: alignment * their size /
  /// dtype's size, at most 16. Launches check all this.
  std::int64_t alignment = 0;

  friend bool operator==(const RopeSpec&, const RopeSpec&) = default;
};

}  // namespace lathe
