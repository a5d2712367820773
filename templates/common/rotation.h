// Angles of rotary embeddings. They are counted in turns, as integers of which 2^64 are one turn: position
// times turns per position is then exact, for every position, and only its last step is rounded.
#pragma once

/// An angle; 2^64 are a turn, so that sums and products wrap as angles do.
using Angle = unsigned long long;

template <class Float>
struct SinCos {
  Float sin;
  Float cos;
};

/// Of an angle in turns, -1/8 to 1/8, to some two units in the last place; sin(x) / x likewise for the
/// smallest x. Polynomials in x^2, the weighted minimax ones of this range.
template <class Float>
inline SinCos<Float> sin_cos_near_zero(Float turns) {
  // 2 pi in two parts, so that the radians are rounded once.
  const Float low = turns * -0x1.777a5cp-23f;
  const Float x = turns * 0x1.921fb6p+2f + low;
  const Float square = x * x;
  Float sin = square * -0x1.994eb2p-13f + 0x1.110760p-7f;
  sin = sin * square + -0x1.555546p-3f;
  Float cos = square * 0x1.9a0258p-16f + -0x1.6c0c8cp-10f;
  cos = cos * square + 0x1.55554ap-5f;
  cos = cos * square + -0.5f;
  return {sin * (square * x) + x, cos * square + 1.0f};
}

/// One angle's.
inline SinCos<float> sin_cos_of(Angle angle) {
  // To the nearest quarter turn, and what is left of it, up to an eighth.
  const unsigned quarter = static_cast<unsigned>((angle + (1ull << 61)) >> 62);
  const Angle rest = angle - (static_cast<Angle>(quarter) << 62);
  const bool is_negative = static_cast<long long>(rest) < 0;
  const Angle size = is_negative ? 0 - rest : rest;
  // In two halves: conversions of 64 bits are slow where there are any.
  const float high = static_cast<float>(static_cast<int>(size >> 31));
  const float low = static_cast<float>(static_cast<int>(size & 0x7FFFFFFFu));
  const float turns = high * 0x1p-33f + low * 0x1p-64f;
  const SinCos<float> near = sin_cos_near_zero(is_negative ? -turns : turns);
  const bool is_odd = (quarter & 1u) != 0;
  const float sin = is_odd ? near.cos : near.sin;
  const float cos = is_odd ? near.sin : near.cos;
  return {(quarter & 2u) != 0 ? -sin : sin, ((quarter + 1u) & 2u) != 0 ? -cos : cos};
}

/// A pair (x, y) becomes (x cos - y sin, y cos + x sin). A negative angle turns it back.
template <class Float>
inline void rotate(Float& x, Float& y, Float sin, Float cos) {
  const Float turned = x * cos - y * sin;
  y = y * cos + x * sin;
  x = turned;
}
