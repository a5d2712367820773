// The members of linear_cross_entropy's Args, for tools and tests that fill them by name.
#include <cstddef>
#include <string_view>
#include <vector>

#include "codegen/ops/linear_cross_entropy.h"
#include "codegen/ops/linear_cross_entropy_steps.h"

namespace lathe::codegen {

namespace {

using A = LinearCrossEntropyArgs;
using Mode = LinearCrossEntropyMode;
using enum ArgumentKind;

struct Row {
  bool is_there;
  Argument argument;
};

void append(const std::vector<Row>& rows, std::vector<Argument>& arguments) {
  for (const Row& row : rows) {
    if (row.is_there) arguments.push_back(row.argument);
  }
}

Argument optional_scalar(std::string_view name, DType dtype, std::size_t offset, std::string_view doc) {
  return {name, scalar, dtype, offset, {}, doc, false};
}

void append_inputs(const LinearCrossEntropySpec& spec, std::vector<Argument>& arguments) {
  const bool has_weight = spec.mode != Mode::merge;
  const bool recomputes = spec.mode == Mode::recompute;
  const std::vector<Extent> tokens{{0, "tokens"}};
  const std::vector<Extent> classes{spec.vocab_parallel ? Extent{0, "vocab_total"} : Extent{spec.vocab_size}};
  const std::vector<Extent> upstream{spec.upstream == UpstreamGradient::token ? Extent{0, "tokens"}
                                                                              : Extent{1}};
  const std::vector<Extent> partials{{0, "shards"}, {part_fields(spec) + 1}, {0, "tokens"}};
  append({{has_weight,
           {"hidden", input, spec.dtype, offsetof(A, hidden), {{0, "tokens"}, {spec.hidden_size}}, "rows"}},
          {has_weight,
           {"weight",
            input,
            spec.dtype,
            offsetof(A, weight),
            {{spec.vocab_size}, {spec.hidden_size}},
            "a row per class"}},
          {has_weight && spec.has_bias,
           {"bias",
            input,
            spec.bias_dtype.value_or(spec.dtype),
            offsetof(A, bias),
            {{spec.vocab_size}},
            "added to logits"}},
          {true, {"targets", input, spec.target_dtype, offsetof(A, targets), tokens, "numbers of classes"}},
          {spec.has_class_weights,
           {"class_weights", input, f32, offsetof(A, class_weights), classes, "of losses"}},
          {spec.upstream != UpstreamGradient::one,
           {"upstream", input, f32, offsetof(A, upstream), upstream, "what gradients are multiplied by"}},
          {recomputes, {"lse_in", input, f32, offsetof(A, lse_in), tokens, "of the forward"}},
          {recomputes && spec.scales_by_probability,
           {"target_logits_in", input, f32, offsetof(A, target_logits_in), tokens, "of the forward"}},
          {spec.has_entropy_gradient,
           {"entropy_in", input, f32, offsetof(A, entropy_in), tokens, "of the forward"}},
          {spec.has_entropy_gradient,
           {"entropy_upstream", input, f32, offsetof(A, entropy_upstream), tokens,
            "gradient by each token's entropy"}},
          {spec.mode == Mode::merge,
           {"partials", input, f32, offsetof(A, partials), partials, "of all shards"}}},
         arguments);
}

void append_outputs(const LinearCrossEntropySpec& spec, std::vector<Argument>& arguments) {
  const bool is_shard = spec.vocab_parallel && spec.mode == Mode::forward_only;
  const bool reduces = spec.reduction != LossReduction::none;
  const std::vector<Extent> tokens{{0, "tokens"}};
  const std::vector<Extent> one{{1}};
  const std::vector<Extent> weight{{spec.vocab_size}, {spec.hidden_size}};
  const ArgumentKind d_weight = spec.accumulate_d_weight ? update : output;
  append(
      {{!is_shard && spec.mode != Mode::recompute && reduces,
        {"loss", output, f32, offsetof(A, loss), one, "the reduced loss"}},
       {spec.store_losses, {"losses", output, f32, offsetof(A, losses), tokens, "per token, not divided"}},
       {spec.store_z_loss,
        {"z_loss", output, f32, offsetof(A, z_loss), reduces ? one : tokens, "z-loss apart"}},
       {spec.store_lse, {"lse", output, f32, offsetof(A, lse), tokens, "log of the sum of exp(logits)"}},
       {spec.store_target_logits,
        {"target_logits", output, f32, offsetof(A, target_logits), tokens, "logits of the targets"}},
       {spec.store_entropy && !is_shard, {"entropy", output, f32, offsetof(A, entropy), tokens, "natural"}},
       {spec.store_argmax && !is_shard, {"argmax", output, i64, offsetof(A, argmax), tokens, "classes"}},
       {spec.store_accuracy,
        {"accuracy", output, f32, offsetof(A, accuracy), one, "share of the tokens that count"}},
       {true,
        {"bad_targets", update, i32, offsetof(A, bad_targets), one, "set to 1 if a target is bad", false}},
       {is_shard,
        {"partials",
         output,
         f32,
         offsetof(A, partials),
         {{part_fields(spec) + 1}, {0, "tokens"}},
         "for merge"}},
       {spec.store_d_hidden,
        {"d_hidden",
         output,
         spec.d_hidden_dtype.value_or(spec.dtype),
         offsetof(A, d_hidden),
         {{0, "tokens"}, {spec.hidden_size}},
         "the gradient of hidden"}},
       {spec.store_d_weight,
        {"d_weight", d_weight, spec.d_weight_dtype, offsetof(A, d_weight), weight, "the gradient of weight"}},
       {spec.store_d_weight && spec.has_bias,
        {"d_bias",
         d_weight,
         spec.d_weight_dtype,
         offsetof(A, d_bias),
         {{spec.vocab_size}},
         "the gradient of bias"}}},
      arguments);
}

void append_scalars(const LinearCrossEntropySpec& spec, std::vector<Argument>& arguments) {
  const bool has_weight = spec.mode != Mode::merge;
  const std::string_view packed = "elements; 0: tightly packed";
  append(
      {{true, optional_scalar("tokens", i64, offsetof(A, tokens), "rows of hidden")},
       {spec.vocab_parallel && has_weight,
        optional_scalar("vocab_first", i64, offsetof(A, vocab_first), "the shard's first class; default 0")},
       {spec.vocab_parallel,
        optional_scalar("vocab_total", i64, offsetof(A, vocab_total), "classes of all shards")},
       {!has_weight, optional_scalar("shards", i64, offsetof(A, shards), "default 1")},
       {true, optional_scalar("ignore_index", i64, offsetof(A, ignore_index), "default -100")},
       {spec.has_label_smoothing,
        optional_scalar("label_smoothing", f32, offsetof(A, label_smoothing), "0 to 1")},
       {spec.has_z_loss,
        optional_scalar("lse_square_scale", f32, offsetof(A, lse_square_scale), "of z-loss")},
       {spec.has_soft_cap, optional_scalar("soft_cap", f32, offsetof(A, soft_cap), "above 0")},
       {spec.has_temperature, optional_scalar("temperature", f32, offsetof(A, temperature), "default 1")},
       {has_weight, optional_scalar("hidden_stride", i64, offsetof(A, hidden_stride), packed)},
       {has_weight, optional_scalar("weight_stride", i64, offsetof(A, weight_stride), packed)},
       {spec.store_d_hidden, optional_scalar("d_hidden_stride", i64, offsetof(A, d_hidden_stride), packed)},
       {spec.store_d_weight, optional_scalar("d_weight_stride", i64, offsetof(A, d_weight_stride), packed)},
       {has_weight, optional_scalar("workspace_budget", i64, offsetof(A, workspace_budget),
                                    "bytes; 0: enough to be fast")},
       {true, {"workspace", workspace, u8, offsetof(A, workspace), {}, "chunks of logits", false}}},
      arguments);
}

}  // namespace

std::vector<Argument> arguments_of_linear_cross_entropy(const KernelSpec& any) {
  const auto& spec = std::get<LinearCrossEntropySpec>(any);
  std::vector<Argument> arguments;
  append_inputs(spec, arguments);
  append_outputs(spec, arguments);
  append_scalars(spec, arguments);
  return arguments;
}

}  // namespace lathe::codegen
