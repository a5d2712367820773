// linear_cross_entropy in double precision: all logits at once, and gradients by the chain rule.
#pragma once

#include <cstdint>
#include <vector>

namespace lathe::reference {

/// Rows of equal length.
using Matrix = std::vector<std::vector<double>>;

enum class Reduction { mean, sum, none };

/// logits = soft cap of (hidden weight^T + bias), divided by the temperature.
struct LinearCrossEntropy {
  Matrix hidden;                        ///< [tokens, hidden size]
  Matrix weight;                        ///< [vocabulary, hidden size]
  std::vector<double> bias{};           ///< [vocabulary], or empty
  std::vector<std::int64_t> targets{};  ///< [tokens]
  std::int64_t ignore_index = -100;     ///< tokens with this target take no part, whatever it is
  double label_smoothing = 0;           ///< of the target's weight, to all classes alike
  double lse_square_scale = 0;          ///< z-loss: loss += this * lse^2
  double soft_cap = 0;                  ///< 0: none
  std::vector<double> class_weights{};  ///< [vocabulary], or empty
  bool scales_by_probability = false;   ///< loss and gradient times p(target), taken as a constant
  double temperature = 1;
  Reduction reduction = Reduction::mean;
  std::vector<double> upstream{1};  ///< one, or with Reduction::none one per token
  /// [tokens], or empty: gradients of entropy[token] times this are added, whatever upstream and reduction.
  std::vector<double> entropy_upstream{};
};

struct LinearCrossEntropyResult {
  // Per token; those ignored: 0, and -1 as argmax. A target beyond the vocabulary gives the same but a loss
  // of NaN: such a token does not count, and has no gradient.
  std::vector<double> losses;  ///< not divided yet, z-loss included
  std::vector<double> z_losses;
  std::vector<double> lse;
  std::vector<double> entropy;
  std::vector<double> target_logits;
  std::vector<std::int64_t> argmax;  ///< the first of the largest logits

  double loss = 0;      ///< reduced; 0 with Reduction::none, and if every token is ignored
  double z_loss = 0;    ///< reduced likewise
  double accuracy = 0;  ///< share of the tokens that count whose argmax is the target; NaN if there are none

  Matrix d_hidden;
  Matrix d_weight;
  std::vector<double> d_bias;

  /// Roots of the sums of squares of what each gradient adds up: what independent rounding errors scale with.
  /// A term counts with the probability's part, label smoothing's and the entropy's apart, which may cancel
  /// each other; the entropy's as probabilities and logits have a part in its error.
  Matrix d_hidden_magnitude;
  Matrix d_weight_magnitude;
  std::vector<double> d_bias_magnitude;
};

/// A mean divides by the number of tokens that count or, with class weights, by the sum of their targets'
/// weights; z-loss is divided by the number always.
LinearCrossEntropyResult linear_cross_entropy(const LinearCrossEntropy& problem);

/// What a shard of the vocabulary knows of a token's logits: shards add up to the whole.
struct VocabularyPartial {
  double max = 0;  ///< of its logits
  double sum = 0;  ///< of exp(logit - max)
};

double merged_lse(const std::vector<VocabularyPartial>& partials);

}  // namespace lathe::reference
