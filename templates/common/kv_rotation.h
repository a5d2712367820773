// How far a token's pairs are turned.
#pragma once

#include "common/kv_facts.h"
#include "common/rotation.h"

inline lathe::Index position_at(const RotationFacts& facts, const void* from, lathe::Index token) {
  if (from == nullptr) return 0;
  return facts.is_wide ? static_cast<const long long*>(from)[token] : static_cast<const int*>(from)[token];
}

/// Positions from the one that the token's elements are turned to.
inline Angle positions_to_turn(const RotationFacts& facts, KvRotate rotate, const lathe::KvMoveArgs& args,
                               lathe::Index token) {
  // Unsigned, because angles wrap and positions may.
  const auto to = static_cast<Angle>(position_at(facts, args.new_positions, token));
  const auto shift = static_cast<Angle>(args.position_shift);
  if (rotate == KvRotate::forward) return to + shift;
  return to + shift - static_cast<Angle>(position_at(facts, args.old_positions, token));
}

/// The attention factor belongs to the way from no position to one.
inline SinCos<float> sin_cos_for(const RotationFacts& facts, KvRotate rotate, Angle angle) {
  const SinCos<float> exact = sin_cos_of(angle);
  if (rotate == KvRotate::delta) return exact;
  return {exact.sin * facts.attention_factor, exact.cos * facts.attention_factor};
}
