// Specs of kv_gather and kv_scatter for the layouts that engines use, by name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/error.h>
#include <lathe/export.h>
#include <lathe/kv_move.h>

namespace lathe {

/// What a model and an engine's settings fill into a preset. The defaults are those of Llama 3.1 8B, and for
/// latent rows those of DeepSeek V3.
struct KvModel {
  std::int64_t layers = 32;
  std::int64_t heads = 8;  ///< of keys and values
  std::int64_t head_size = 128;
  std::int64_t block_size = 16;  ///< slots per block
  std::int64_t chunk = 256;      ///< tokens per object
  std::int64_t latent = 512;     ///< elements of a latent row, without the rotated part
  std::int64_t rotated = 64;     ///< elements of the rotated part
  std::int64_t indexer = 128;    ///< elements of an indexer's key
  DType dtype = bf16;            ///< of what is not quantised
};

/// CACHE-OBJECT: a cache whose slots are named by a map of 64-bit numbers, and an object that has its tokens
/// in order; gathered from the one, scattered to it. Objects are LMCache's 2ltd, l2td, t2d, 2td and
/// 2ltd_chunks where the cache has keys and values apart, else `rows`: [L, T, row]. The other presets are
/// functions of engines, by their names; those that are of one layer take pointers to it. All strides are
/// tightly packed.
struct KvPreset {
  std::string name;     ///< "flash_nhd-2ltd"
  std::string summary;  ///< whose layout or function it is, and the shapes
};

/// The presets of an op, in the order of the documentation.
LATHE_API std::vector<KvPreset> kv_presets(KvDirection direction);

/// A preset's spec: a change of it is a spec like any other. Errors: invalid_argument for a name that
/// kv_presets does not list.
LATHE_API Result<KvGatherSpec> kv_gather_preset(std::string_view name, const KvModel& model = {});
LATHE_API Result<KvScatterSpec> kv_scatter_preset(std::string_view name, const KvModel& model = {});

}  // namespace lathe
