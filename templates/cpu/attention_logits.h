// From products of queries and keys to logits, in units of log 2: scale, soft cap, slope, masks.
#pragma once

#include "cpu/attention_keys.h"
#include "cpu/exp2.h"
#include "user/attention_hooks.h"

constexpr int kTileRegisters = kKeyTile / kRegisterLanes;
constexpr float kMinusInfinity = -__builtin_inff();

/// The logits of one row and a tile of keys.
struct TileLogits {
  RegisterFloats at[kTileRegisters];
};

/// What is the same for a whole row.
struct LogitRow {
  AttentionPlace place;  ///< of its query
  int first;             ///< key that is seen
  int end;               ///< one more than the last
  float scale;           ///< of the products
  float cap;
  float slope;
};

/// Hides the keys that the row must not see by its position.
inline void hide_outside(TileLogits& logits, const LogitRow& row, KeyTile tile) {
  if (row.first <= tile.first && row.end >= tile.first + kKeyTile) return;
  const RegisterInts lane = lane_numbers();
#pragma clang loop unroll(full)
  for (int i = 0; i < kTileRegisters; ++i) {
    const RegisterInts key = lane + (tile.first + i * kRegisterLanes);
    logits.at[i] = key < row.first ? RegisterFloats(kMinusInfinity) : logits.at[i];
    logits.at[i] = key >= row.end ? RegisterFloats(kMinusInfinity) : logits.at[i];
  }
}

/// `count` bits of a string of bits, from bit `begin` on, the lowest first. No byte beyond them is read.
inline unsigned long long bits_from(const unsigned char* bytes, lathe::Index begin, int count) {
  unsigned long long bits = bytes[begin / 8] >> begin % 8;
  for (int have = 8 - static_cast<int>(begin % 8); have < count; have += 8)
    bits |= static_cast<unsigned long long>(bytes[(begin + have) / 8]) << have;
  return bits;
}

/// Hides the keys whose bit is not set.
inline void hide_unset(TileLogits& logits, unsigned long long bits) {
  const RegisterInts lane = lane_numbers();
#pragma clang loop unroll(full)
  for (int i = 0; i < kTileRegisters; ++i) {
    const RegisterInts mine = static_cast<int>(static_cast<unsigned>(bits >> (i * kRegisterLanes)));
    logits.at[i] = (mine >> lane & 1) == 0 ? RegisterFloats(kMinusInfinity) : logits.at[i];
  }
}

/// A bit per key that the hook lets through.
inline unsigned long long bits_of_hook(AttentionPlace place, KeyTile tile, const void* data) {
  unsigned long long bits = 0;
  for (int i = 0; i < tile.count; ++i) {
    place.key = tile.first + i;
    bits |= static_cast<unsigned long long>(mask_hook(place, data)) << i;
  }
  return bits;
}

/// Logits in natural units through the hook, one by one.
inline void put_through_hook(TileLogits& logits, AttentionPlace place, KeyTile tile, const void* data) {
  float values[kKeyTile];
  __builtin_memcpy(values, &logits, sizeof values);
  for (int i = 0; i < tile.count; ++i) {
    place.key = tile.first + i;
    values[i] = logits_hook(values[i], place, data);
  }
  __builtin_memcpy(&logits, values, sizeof values);
}

/// Hides what the spec's masks hide. Spec gives kMask and kHasMaskHook.
template <class Spec>
inline void hide_masked(const lathe::AttentionArgs& args, const lathe::AttentionRequest& request,
                        const LogitRow& row, KeyTile tile, TileLogits& logits) {
  hide_outside(logits, row, tile);
  if constexpr (Spec::kMask == Mask::custom) {
    const lathe::Index begin = static_cast<lathe::Index>(row.place.query) * request.kv_length + tile.first;
    hide_unset(logits, bits_from(args.mask + request.mask_begin, begin, tile.count));
  }
  if constexpr (Spec::kHasMaskHook) hide_unset(logits, bits_of_hook(row.place, tile, args.hook_data));
}

/// From products to logits, but for the masks. Spec gives kHasSoftCap, kHasAlibi and kHasLogitsHook.
template <class Spec>
inline void make_logits(const LogitRow& row, KeyTile tile, const void* data, TileLogits& logits) {
  constexpr bool kIsPlain = !Spec::kHasSoftCap && !Spec::kHasAlibi && !Spec::kHasLogitsHook;
  const float scale = kIsPlain ? row.scale * kLog2E : row.scale;
  const RegisterInts lane = lane_numbers();
#pragma clang loop unroll(full)
  for (int i = 0; i < kTileRegisters; ++i) {
    RegisterFloats& x = logits.at[i];
    x *= scale;
    if constexpr (Spec::kHasSoftCap) x = row.cap * tanh_of(x / row.cap);
    if constexpr (Spec::kHasAlibi) {
      const RegisterInts distance = lane + (tile.first + i * kRegisterLanes - row.place.query);
      x += row.slope * __builtin_convertvector(distance, RegisterFloats);
    }
  }
  if constexpr (Spec::kHasLogitsHook) put_through_hook(logits, row.place, tile, data);
  if constexpr (!kIsPlain) {
#pragma clang loop unroll(full)
    for (int i = 0; i < kTileRegisters; ++i) logits.at[i] *= kLog2E;
  }
}
