// Logits of a group of rows and a tile of classes, in floats.
#pragma once

#include "cpu/linear_cross_entropy_chunk.h"
#include "cpu/panel_product.h"
#include "cpu/vector_functions.h"

/// Some 100 KiB, for the stack and the second-level cache.
struct LogitTile {
  static constexpr int kDepth = 128;  ///< hidden columns at a time
  alignas(64) float weights[kTileClasses * kDepth];
  alignas(64) float logits[kTileClasses * kGroupRows];  ///< [class][row]
  alignas(64) float biases[kTileClasses + kLanes];

  /// A class's logits of a panel.
  float* at(int of_class, int panel) { return logits + of_class * kGroupRows + panel * kPanelRows; }
};

/// Rows of the weight from column `at` on, widened, in the order of X's lanes.
inline void widen_weights(const Args& args, ClassTile tile, int at, int depth, float* to) {
#pragma clang loop unroll(disable)
  for (int i = 0; i < tile.classes; ++i) {
    const X::Storage* const row = weight_row(args, tile.first + i) + at;
#pragma clang loop unroll(disable)
    for (int k = 0; k < depth; k += kLanes)
      F32::store(to + i * LogitTile::kDepth + k, load_up_to<X>(kHiddenSize - at - k, row + k));
  }
}

/// hidden x weight^T. What comes next of the tile's rows is fetched meanwhile.
__attribute__((noinline)) void multiply_tile(const Args& args, RowGroup group, ClassTile tile,
                                             LogitTile& result) {
  constexpr int kDepth = LogitTile::kDepth;
  constexpr int kLineElements = 64 / static_cast<int>(sizeof(X::Storage));
  for (int at = 0; at < kPaddedHidden; at += kDepth) {
    const int depth = smaller_of(kDepth, kPaddedHidden - at);
    widen_weights(args, tile, at, depth, result.weights);
    for (int panel = 0; panel < group.panels(); ++panel) {
      PanelProduct product{.left = result.weights,
                           .right = packed_panel(args, group.first + panel * kPanelRows) + at * kPanelRows,
                           .depth = depth,
                           .result = result.at(0, panel),
                           .result_stride = kGroupRows,
                           .adds = at > 0};
      const int next = at + kDepth + panel * kLineElements;
      if (panel < kDepth / kLineElements && next < kHiddenSize) {
        product.ahead = reinterpret_cast<const char*>(weight_row(args, tile.first) + next);
        product.ahead_stride = args.weight_stride * static_cast<Index>(sizeof(X::Storage));
      }
      multiply_panel<kDepth, 1>(tile.classes, product);
    }
  }
}

inline void load_biases(const Args& args, ClassTile tile, LogitTile& result) {
  if constexpr (kHasBias) {
    const auto* const biases = static_cast<const Bias::Storage*>(args.bias) + args.first_class + tile.first;
    for (int i = 0; i < tile.classes; i += kLanes)
      F32::store(result.biases + i, floats_up_to<Bias>(tile.classes - i, biases + i));
  }
}

/// z of a product.
inline Floats logit_of(const Args& args, Floats product, float bias) {
  if constexpr (kHasBias) product += bias;
  if constexpr (kHasSoftCap) product = args.soft_cap * tanh_of(product * (1.0f / args.soft_cap));
  if constexpr (kHasTemperature) product *= 1.0f / args.temperature;
  return product;
}

/// By how much z follows the product.
inline Floats slope_of(const Args& args, Floats logit) {
  Floats slope = 1.0f;
  if constexpr (kHasSoftCap) {
    Floats ratio = logit * ((kHasTemperature ? args.temperature : 1.0f) / args.soft_cap);
    ratio = ratio > 1.0f ? Floats(1.0f) : ratio;
    ratio = ratio < -1.0f ? Floats(-1.0f) : ratio;
    slope = 1.0f - ratio * ratio;
  }
  if constexpr (kHasTemperature) slope *= 1.0f / args.temperature;
  return slope;
}

/// The tile's logits instead of its products.
inline void finish_logits(const Args& args, RowGroup group, ClassTile tile, LogitTile& result) {
  if constexpr (kHasBias || kHasSoftCap || kHasTemperature) {
    load_biases(args, tile, result);
    for (int i = 0; i < tile.classes; ++i) {
      for (int panel = 0; panel < group.panels(); ++panel)
        F32::store(result.at(i, panel), logit_of(args, F32::load(result.at(i, panel)), result.biases[i]));
    }
  }
}
