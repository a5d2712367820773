// linear_cross_entropy's spec: what is resolved, what is refused.
#include "codegen/ops/linear_cross_entropy.h"

#include <string>

#include "tests/support/catch.h"

using lathe::bf16, lathe::f16, lathe::f32;
using lathe::LinearCrossEntropySpec;
using lathe::LossReduction;
using lathe::UpstreamGradient;
using lathe::codegen::normalize_linear_cross_entropy;
using LossMode = lathe::LinearCrossEntropyMode;

namespace {

LinearCrossEntropySpec normalized(const LinearCrossEntropySpec& spec) {
  return std::get<LinearCrossEntropySpec>(normalize_linear_cross_entropy(spec).value());
}

std::string message_of(const LinearCrossEntropySpec& spec) {
  return normalize_linear_cross_entropy(spec).error().message;
}

constexpr LinearCrossEntropySpec kPlain{.hidden_size = 4096, .vocab_size = 128256};

}  // namespace

TEST_CASE("linear_cross_entropy: what is left out is resolved") {
  const LinearCrossEntropySpec spec = normalized(kPlain);
  CHECK(spec.mode == LossMode::gradient_in_forward);
  CHECK(spec.bias_dtype == bf16);
  CHECK(spec.d_hidden_dtype == bf16);
  CHECK(spec.d_weight_dtype == f32);
  CHECK(spec.alignment == 16);
  LinearCrossEntropySpec odd = kPlain;
  odd.hidden_size = 123;
  CHECK(normalized(odd).alignment == 2);
}

TEST_CASE("linear_cross_entropy: two spellings of a kernel are one") {
  LinearCrossEntropySpec forward = kPlain;
  forward.mode = LossMode::forward_only;
  LinearCrossEntropySpec other = forward;
  other.upstream = UpstreamGradient::token;
  other.store_d_hidden = false;
  other.d_weight_dtype = bf16;
  other.accumulate_d_weight = true;
  CHECK(normalized(forward) == normalized(other));

  LinearCrossEntropySpec none = forward;
  none.reduction = LossReduction::none;
  CHECK(normalized(none).store_losses);

  LinearCrossEntropySpec recompute = kPlain;
  recompute.mode = LossMode::recompute;
  LinearCrossEntropySpec storing = recompute;
  storing.store_lse = storing.store_losses = storing.store_entropy = storing.store_accuracy = true;
  CHECK(normalized(recompute) == normalized(storing));

  LinearCrossEntropySpec shard = forward;
  shard.vocab_parallel = true;
  shard.store_accuracy = shard.has_z_loss = shard.has_class_weights = true;
  const LinearCrossEntropySpec partial = normalized(shard);
  CHECK(partial.store_argmax);
  CHECK_FALSE(partial.store_accuracy);
  CHECK_FALSE(partial.has_z_loss);
  CHECK_FALSE(partial.has_class_weights);  // the merge weighs losses

  const LinearCrossEntropySpec merge = normalized({.mode = LossMode::merge, .has_soft_cap = true});
  CHECK(merge.vocab_parallel);
  CHECK_FALSE(merge.has_soft_cap);
}

TEST_CASE("linear_cross_entropy: normalizing twice changes nothing more") {
  for (const LossMode mode : {LossMode::forward_only, LossMode::gradient_in_forward, LossMode::recompute}) {
    for (const bool parallel : {false, true}) {
      if (parallel && mode == LossMode::gradient_in_forward) continue;
      LinearCrossEntropySpec spec = kPlain;
      spec.mode = mode;
      spec.vocab_parallel = parallel;
      spec.store_accuracy = spec.has_z_loss = spec.store_z_loss = spec.has_bias = true;
      spec.reduction = LossReduction::none;
      CHECK(normalized(normalized(spec)) == normalized(spec));
    }
  }
  const LinearCrossEntropySpec merge = normalized({.mode = LossMode::merge, .store_accuracy = true});
  CHECK(normalized(merge) == merge);
}

TEST_CASE("linear_cross_entropy: what contradicts itself is refused") {
  CHECK(message_of({.vocab_size = 10}) == "linear_cross_entropy: hidden_size is 0");
  CHECK(message_of({.hidden_size = 10}) == "linear_cross_entropy: vocab_size is 0");
  CHECK(message_of({.hidden_size = 8, .mode = LossMode::merge}) ==
        "linear_cross_entropy: hidden_size is 8, but merge has no weight");
  CHECK(message_of({.hidden_size = 65537, .vocab_size = 1}) ==
        "linear_cross_entropy: hidden_size is 65537, allowed are 0 to 65536");
  LinearCrossEntropySpec spec = kPlain;
  spec.vocab_parallel = true;
  CHECK(message_of(spec) ==
        "linear_cross_entropy: vocab_parallel is true, but gradient_in_forward needs the lse of all shards "
        "at once");
  spec = kPlain;
  spec.has_entropy_gradient = true;
  CHECK(message_of(spec) ==
        "linear_cross_entropy: has_entropy_gradient is true, but mode is gradient_in_forward, which has no "
        "gradient through the entropy");
  CHECK(normalize_linear_cross_entropy(spec).error().hint ==
        "launch forward_only with store_lse and store_entropy, or merge, then recompute");
  spec.mode = LossMode::forward_only;
  CHECK(message_of(spec) ==
        "linear_cross_entropy: has_entropy_gradient is true, but mode is forward_only, which has no gradient "
        "through the entropy");
  CHECK(
      message_of({.mode = LossMode::merge, .has_entropy_gradient = true}) ==
      "linear_cross_entropy: has_entropy_gradient is true, but mode is merge, which has no gradient through "
      "the entropy");
  spec.mode = LossMode::recompute;
  CHECK(normalized(spec).has_entropy_gradient);
  spec = kPlain;
  spec.store_d_hidden = spec.store_d_weight = false;
  CHECK(message_of(spec) ==
        "linear_cross_entropy: store_d_hidden and store_d_weight are false: there is no gradient left");
  spec = kPlain;
  spec.d_hidden_dtype = f16;
  CHECK(message_of(spec) ==
        "linear_cross_entropy: d_hidden_dtype is f16, allowed are f32 and dtype, which is bf16");
  spec = kPlain;
  spec.d_weight_dtype = f16;
  CHECK(message_of(spec) ==
        "linear_cross_entropy: d_weight_dtype is f16, allowed are f32 and dtype, which is bf16");
  spec = kPlain;
  spec.accumulator_dtype = bf16;
  CHECK(message_of(spec) ==
        "linear_cross_entropy: accumulator_dtype is bf16, allowed are f32 and d_weight_dtype, which is f32");
  spec = kPlain;
  spec.has_bias = true;
  spec.bias_dtype = f16;
  CHECK(message_of(spec) ==
        "linear_cross_entropy: bias_dtype is f16, allowed are f32 and dtype, which is bf16");
  spec = kPlain;
  spec.target_dtype = f32;
  CHECK(message_of(spec) == "linear_cross_entropy: target_dtype is f32, allowed are i32, i64");
}
