// What linear_cross_entropy's entry points leave each other in the workspace, and the formulas of a row's
// loss and of its gradient's factors. Included after the parameter block, whose names it uses.
//
// A row is a token that counts: row r is token args.row_tokens[r]. A part is a range of classes.
#pragma once

#include <lathe/args.h>

/// Of all tokens.
struct Totals {
  int rows;            ///< tokens that count
  int bad_tokens;      ///< whose target is neither a class nor ignored
  float loss_divisor;  ///< of the reduction
  float z_divisor;     ///< of z-loss
  float all_weights;   ///< sum of all classes' weights; without, the number of classes
  /// A power of two by which upstreams per token are divided in the slab, so that the largest is about 1:
  /// neither a mean's share nor a loss scale is to leave the range of 16 bits. 1 without them. With an
  /// entropy gradient: unit_of_slab().
  float upstream_unit;
};

/// Planes of args.row_values, each with a float per row.
enum RowPlane {
  kRowLse,
  kRowTargetLogit,
  kRowLogProbability,  ///< of the target: its logit - lse, but not of the rounded lse
  kRowLoss,            ///< s ce
  kRowZLoss,           ///< s zl
  kRowOfProbability,   ///< a, b and c of the gradient: a p - b [class is the target] - c w
  kRowOfTarget,
  kRowOfWeights,
  kRowIsRight,  ///< 1 or 0: the largest logit is the target's
  kRowPlanes,
  // Of recompute, which has no losses.
  kRowOfEntropy = kRowLoss,  ///< d of the entropy's gradient: - d p (log p + h)
  kRowEntropy = kRowZLoss,   ///< h
};

constexpr bool kHasArgmax = kStoreArgmax || kStoreAccuracy;

/// Fields of a part, each with a float per row: args.part_values[(part * kPartFields + field) * chunk_rows +
/// row of the chunk].
constexpr int kPartMax = 0;
constexpr int kPartSum = 1;
constexpr int kPartWeighted = 2;
constexpr int kPartEntropy = kPartWeighted + (kHasLabelSmoothing ? 1 : 0);
constexpr int kPartArgmax = kPartEntropy + (kStoreEntropy ? 1 : 0);
constexpr int kPartFields = kPartArgmax + (kHasArgmax ? 1 : 0);

constexpr float kMinusInfinity = __builtin_bit_cast(float, 0xFF800000u);

/// Logits of a range of classes.
struct Part {
  float max = kMinusInfinity;
  float sum = 0;       ///< of exp(z - max)
  float lost = 0;      ///< what rounding took from the sum while parts were merged; not stored
  float weighted = 0;  ///< sum of w z
  float entropy = 0;   ///< sum of exp(z - max) (z - max)
  float argmax = 0;    ///< class of the first largest logit
};

/// What exp(z - max) is taken against: where all logits are minus infinity, 0, as there is no exp(NaN) then.
inline float finite_max(float max) {
  return max == kMinusInfinity ? 0.0f : max;
}

constexpr float kLog2OfE = 0x1.715476p+0f;
constexpr float kLogOf2 = 0x1.62e43p-1f;

/// Of two ranges, the classes of `b` after those of `a`. Exp2: float -> float, 2^x.
template <class Exp2>
inline Part merged(const Part& a, const Part& b, Exp2 exp2) {
  Part both;
  both.max = b.max > a.max ? b.max : a.max;
  both.argmax = b.max > a.max ? b.argmax : a.argmax;
  const float max = finite_max(both.max);
  const auto add = [&](const Part& part) {
    if (part.max == kMinusInfinity && part.sum == 0.0f) return;  // 0 times minus infinity is no number
    const float factor = exp2((part.max - max) * kLog2OfE);
    const float term = part.sum * factor;
    const float sum = both.sum + term;
    // Beside 1, a target that is all but certain, a thousand parts of other classes would vanish.
    both.lost += part.lost * factor + (both.sum >= term ? (both.sum - sum) + term : (term - sum) + both.sum);
    both.sum = sum;
    if (factor != 0.0f) both.entropy += factor * (part.entropy + (part.max - max) * part.sum);
  };
  add(a);
  add(b);
  both.weighted = a.weighted + b.weighted;
  return both;
}

/// Of parts that have been merged.
inline Part with_what_was_lost(Part part) {
  part.sum += part.lost;
  part.lost = 0;
  return part;
}

/// What is known of a row when all its logits have been seen.
struct RowFacts {
  float lse;
  float target_logit;
  float
      log_probability;  ///< log of p(target), which lse and target_logit are too large to give if it is small
  float target_weight;  ///< class weight of the target; 1 without
  float probability;    ///< p(target)
  float classes;        ///< of all shards
};

struct RowLoss {
  float loss;    ///< s ce
  float z_loss;  ///< s zl
};

/// `weighted` is the sum of w z over all classes.
inline RowLoss loss_of_row(const lathe::LinearCrossEntropyArgs& args, const Totals& totals,
                           const RowFacts& row, float weighted) {
  const float scale = kScalesByProbability ? row.probability : 1.0f;
  float loss = row.target_weight * -row.log_probability;
  if constexpr (kHasLabelSmoothing) {
    // Of nothing there is no share, not even of infinity.
    if (args.label_smoothing > 0.0f) {
      const float smoothed = totals.all_weights * row.lse - weighted;
      loss = (1.0f - args.label_smoothing) * loss + args.label_smoothing / row.classes * smoothed;
    }
  }
  RowLoss result{scale * loss, 0.0f};
  if constexpr (kHasZLoss) result.z_loss = scale * args.lse_square_scale * row.lse * row.lse;
  return result;
}

/// The gradient of upstream * loss * loss_divisor by a row's logits is of_probability p - of_target [class is
/// the target] - of_weights w[class]. The divisor, and an upstream that all rows share, come into it where a
/// product with it is stored: 16 bits would lose small numbers before. With an entropy gradient, which they
/// are no part of, they are in the factors, and what comes in later is the unit.
struct GradientFactors {
  float of_probability;
  float of_target;
  float of_weights;
};

/// What upstreams are divided by: of the largest magnitude, the power of two.
inline float unit_of_upstream(float largest) {
  const unsigned exponent = __builtin_bit_cast(unsigned, largest) & 0x7F800000u;
  // Neither of 0 nor of what is not finite.
  return exponent == 0 || exponent == 0x7F800000u ? 1.0f : __builtin_bit_cast(float, exponent);
}

/// The largest magnitudes over the tokens that count, of what the slab's unit depends on; the rest stays 0.
struct LargestMagnitudes {
  float upstream = 0;  ///< of upstreams per token
  // With an entropy gradient: of gradients by logits, but for what all tokens share, an upstream, divisors
  // and the temperature.
  float weighted = 0;  ///< of losses, with their class weights
  float z_loss = 0;    ///< which has no class weight, and a divisor of its own
  float entropy = 0;
};

constexpr bool kHasSlabUnit = kHasEntropyGradient || kUpstream == Upstream::token;

inline float magnitude_of(float x) {
  return x < 0.0f ? -x : x;
}

/// Of a token that counts. `all_weights` as in Totals.
inline LargestMagnitudes magnitudes_of(const lathe::LinearCrossEntropyArgs& args, float all_weights,
                                       lathe::Index token, long long target) {
  LargestMagnitudes own;
  own.upstream = kUpstream == Upstream::token ? magnitude_of(args.upstream[token]) : 1.0f;
  if constexpr (!kHasEntropyGradient) return own;
  own.weighted = own.upstream;
  if constexpr (kHasClassWeights) {
    float weight = magnitude_of(args.class_weights[target]);
    if constexpr (kHasLabelSmoothing) {
      const auto classes = static_cast<float>(kVocabParallel ? args.vocab_total : lathe::Index{kVocabSize});
      weight += args.label_smoothing / classes * magnitude_of(all_weights);
    }
    own.weighted *= weight;
  }
  if constexpr (kHasZLoss) {
    const float lse = magnitude_of(args.lse_in[token]);
    // A token without a probability must not take the others' digits.
    if (lse < -kMinusInfinity) own.z_loss = own.upstream * 2.0f * magnitude_of(args.lse_square_scale) * lse;
  }
  own.entropy = magnitude_of(args.entropy_upstream[token]);
  return own;
}

/// By each field; what is no number does not take part. Larger: (float, float) -> float.
template <class Larger>
inline void take_largest(LargestMagnitudes& all, const LargestMagnitudes& own, Larger larger) {
  all.upstream = larger(all.upstream, own.upstream);
  if constexpr (!kHasEntropyGradient) return;
  all.weighted = larger(all.weighted, own.weighted);
  if constexpr (kHasZLoss) all.z_loss = larger(all.z_loss, own.z_loss);
  all.entropy = larger(all.entropy, own.entropy);
}

/// The slab's unit. With an entropy gradient: a power of two, of which gradients are up to some 100: f16 has
/// room for more, but many are far smaller. REQUIRES: the divisors of totals.
inline float unit_of_slab(const lathe::LinearCrossEntropyArgs& args, const Totals& totals,
                          const LargestMagnitudes& magnitudes) {
  if constexpr (!kHasEntropyGradient) return unit_of_upstream(magnitudes.upstream);
  float largest = magnitudes.weighted / magnitude_of(totals.loss_divisor);
  if constexpr (kHasZLoss) {
    const float of_z_loss = magnitudes.z_loss / totals.z_divisor;
    if (of_z_loss > largest) largest = of_z_loss;
  }
  if constexpr (kUpstream == Upstream::scalar) largest *= magnitude_of(*args.upstream);
  if (magnitudes.entropy > largest) largest = magnitudes.entropy;
  if constexpr (kHasTemperature) largest /= args.temperature;
  return unit_of_upstream(largest * 0x1p-6f);
}

/// A row's own upstream in units of totals.upstream_unit, or 1. With an entropy gradient, all of it, divided
/// as the reduction says.
inline float upstream_of(const lathe::LinearCrossEntropyArgs& args, const Totals& totals, int token) {
  if constexpr (kHasEntropyGradient) {
    float upstream = 1.0f;
    if constexpr (kUpstream == Upstream::scalar) upstream = *args.upstream;
    if constexpr (kUpstream == Upstream::token) upstream = args.upstream[token];
    return upstream / totals.loss_divisor / totals.upstream_unit;
  } else if constexpr (kUpstream == Upstream::token) {
    return args.upstream[token] / totals.upstream_unit;
  }
  return 1.0f;
}

/// `upstream` is upstream_of() the row.
inline GradientFactors gradient_factors(const lathe::LinearCrossEntropyArgs& args, const Totals& totals,
                                        const RowFacts& row, float upstream) {
  const float scale = upstream * (kScalesByProbability ? row.probability : 1.0f);
  GradientFactors factors{scale * row.target_weight, scale * row.target_weight, 0.0f};
  if constexpr (kHasLabelSmoothing) {
    factors.of_target *= 1.0f - args.label_smoothing;
    factors.of_weights = scale * args.label_smoothing / row.classes;
    factors.of_probability = factors.of_target + factors.of_weights * totals.all_weights;
  }
  if constexpr (kHasZLoss) {
    factors.of_probability +=
        scale * 2.0f * args.lse_square_scale * row.lse * (totals.loss_divisor / totals.z_divisor);
  }
  return factors;
}

/// What products with the slab are multiplied by.
inline float gradient_scale(const lathe::LinearCrossEntropyArgs& args, const Totals& totals) {
  if constexpr (kHasEntropyGradient) return totals.upstream_unit;
  float upstream = 1.0f;
  if constexpr (kUpstream == Upstream::scalar) upstream = *args.upstream;
  if constexpr (kUpstream == Upstream::token) upstream = totals.upstream_unit;
  return upstream / totals.loss_divisor;
}

/// Where a target lies.
enum class TargetKind { counts, ignored, bad };

inline TargetKind kind_of_target(const lathe::LinearCrossEntropyArgs& args, long long target) {
  if (target == args.ignore_index) return TargetKind::ignored;
  const long long classes = kVocabParallel ? args.vocab_total : kVocabSize;
  return target >= 0 && target < classes ? TargetKind::counts : TargetKind::bad;
}
