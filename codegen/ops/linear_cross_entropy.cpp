#include "codegen/ops/linear_cross_entropy.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string_view>

#include <fmt/format.h>

#include "codegen/field_check.h"
#include "codegen/ops/linear_cross_entropy_fields.h"
#include "codegen/ops/rms_norm_parameters.h"
#include "codegen/ops/rms_norm_spec.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

constexpr std::string_view kOp = "linear_cross_entropy";
using Mode = LinearCrossEntropyMode;

bool has_gradients(const LinearCrossEntropySpec& spec) {
  return spec.mode == Mode::gradient_in_forward || spec.mode == Mode::recompute;
}

Result<void> check_sizes(const LinearCrossEntropySpec& spec) {
  const bool is_merge = spec.mode == Mode::merge;
  const auto check = [&](std::string_view name, std::int64_t size) -> Result<void> {
    if (is_merge == (size == 0)) return {};
    return is_merge ? bad_spec(kOp, fmt::format("{} is {}, but merge has no weight", name, size),
                               fmt::format("leave {} out", name))
                    : bad_spec(kOp, fmt::format("{} is 0", name),
                               fmt::format("give {}; only merge does without", name));
  };
  LATHE_CHECK(check("hidden_size", spec.hidden_size));
  return check("vocab_size", spec.vocab_size);
}

Result<void> check_shards(const LinearCrossEntropySpec& spec) {
  if (!spec.vocab_parallel || spec.mode != Mode::gradient_in_forward) return {};
  return bad_spec(kOp, "vocab_parallel is true, but gradient_in_forward needs the lse of all shards at once",
                  "launch forward_only on each shard, merge, then recompute on each shard");
}

Result<void> check_entropy_gradient(const LinearCrossEntropySpec& spec) {
  if (!spec.has_entropy_gradient || spec.mode == Mode::recompute) return {};
  return bad_spec(kOp,
                  fmt::format("has_entropy_gradient is true, but mode is {}, which has no gradient through "
                              "the entropy",
                              enum_name(spec.mode)),
                  "launch forward_only with store_lse and store_entropy, or merge, then recompute");
}

/// One of f32 and dtype.
Result<void> check_float_or_dtype(const LinearCrossEntropySpec& spec, std::string_view name, DType dtype) {
  if (dtype == f32 || dtype == spec.dtype) return {};
  return bad_spec(kOp, fmt::format("{} is {}, allowed are f32 and dtype, which is {}", name, name_of(dtype),
                                   name_of(spec.dtype)));
}

/// What a mode does not look at is set to one thing, so that two spellings are one kernel.
void drop_what_the_mode_lacks(LinearCrossEntropySpec& spec) {
  const bool is_shard = spec.vocab_parallel && spec.mode == Mode::forward_only;
  if (spec.mode == Mode::merge) {
    spec.vocab_parallel = true;
    spec.has_bias = spec.has_soft_cap = spec.has_temperature = false;
    spec.dtype = f32;
    spec.alignment = 4;
  }
  if (is_shard) {
    spec.store_argmax = spec.store_argmax || spec.store_accuracy;
    spec.reduction = LossReduction::none;
    spec.has_z_loss = spec.scales_by_probability = false;
    spec.has_class_weights = spec.has_class_weights && spec.has_label_smoothing;
  }
  if (is_shard || spec.mode == Mode::recompute) {
    spec.store_losses = spec.store_z_loss = spec.store_lse = spec.store_target_logits = false;
    spec.store_accuracy = false;
  }
  if (spec.mode == Mode::recompute) spec.store_entropy = spec.store_argmax = false;
  if (!has_gradients(spec)) {
    spec.store_d_hidden = spec.store_d_weight = false;
    spec.upstream = UpstreamGradient::one;
  }
  if (!spec.store_d_hidden) spec.d_hidden_dtype = spec.dtype;
  if (!spec.store_d_weight) {
    spec.d_weight_dtype = spec.accumulator_dtype = f32;
    spec.accumulate_d_weight = false;
  }
  if (!spec.has_bias) spec.bias_dtype = spec.dtype;
  if (spec.mode != Mode::recompute && !is_shard && spec.reduction == LossReduction::none)
    spec.store_losses = true;
  if (!spec.has_z_loss) spec.store_z_loss = false;
}

Result<void> check_gradients(const LinearCrossEntropySpec& spec) {
  if (has_gradients(spec) && !spec.store_d_hidden && !spec.store_d_weight) {
    return bad_spec(kOp, "store_d_hidden and store_d_weight are false: there is no gradient left",
                    "use mode forward_only for the loss alone");
  }
  LATHE_CHECK(check_float_or_dtype(spec, "d_hidden_dtype", *spec.d_hidden_dtype));
  LATHE_CHECK(check_float_or_dtype(spec, "d_weight_dtype", spec.d_weight_dtype));
  if (spec.accumulator_dtype == f32 || spec.accumulator_dtype == spec.d_weight_dtype) return {};
  return bad_spec(kOp, fmt::format("accumulator_dtype is {}, allowed are f32 and d_weight_dtype, which is {}",
                                   name_of(spec.accumulator_dtype), name_of(spec.d_weight_dtype)));
}

}  // namespace

Result<KernelSpec> normalize_linear_cross_entropy(const KernelSpec& any) {
  auto spec = std::get<LinearCrossEntropySpec>(any);
  LATHE_CHECK(check_fields(spec));
  LATHE_CHECK(check_sizes(spec));
  LATHE_CHECK(check_shards(spec));
  LATHE_CHECK(check_entropy_gradient(spec));
  if (!spec.bias_dtype) spec.bias_dtype = spec.dtype;
  if (!spec.d_hidden_dtype) spec.d_hidden_dtype = spec.dtype;
  drop_what_the_mode_lacks(spec);
  LATHE_CHECK(check_float_or_dtype(spec, "bias_dtype", *spec.bias_dtype));
  LATHE_CHECK(check_gradients(spec));
  LATHE_CHECK(resolve_alignment(kOp, spec));
  return KernelSpec(spec);
}

Parameters common_linear_cross_entropy_parameters(const LinearCrossEntropySpec& spec) {
  return {{"X", element_type(spec.dtype)},
          {"Bias", element_type(*spec.bias_dtype)},
          {"DHidden", element_type(*spec.d_hidden_dtype)},
          {"DWeight", element_type(spec.d_weight_dtype)},
          {"Target", spec.target_dtype == i64 ? "long long" : "int"},
          {"kHiddenSize", fmt::to_string(spec.hidden_size)},
          {"kVocabSize", fmt::to_string(spec.vocab_size)},
          {"kMode", enum_literal("Mode", spec.mode)},
          {"kReduction", enum_literal("Reduction", spec.reduction)},
          {"kVocabParallel", bool_literal(spec.vocab_parallel)},
          {"kHasBias", bool_literal(spec.has_bias)},
          {"kHasClassWeights", bool_literal(spec.has_class_weights)},
          {"kHasLabelSmoothing", bool_literal(spec.has_label_smoothing)},
          {"kHasZLoss", bool_literal(spec.has_z_loss)},
          {"kHasSoftCap", bool_literal(spec.has_soft_cap)},
          {"kHasTemperature", bool_literal(spec.has_temperature)},
          {"kScalesByProbability", bool_literal(spec.scales_by_probability)},
          {"kUpstream", enum_literal("Upstream", spec.upstream)},
          {"kHasEntropyGradient", bool_literal(spec.has_entropy_gradient)},
          {"kStoreLosses", bool_literal(spec.store_losses)},
          {"kStoreZLoss", bool_literal(spec.store_z_loss)},
          {"kStoreLse", bool_literal(spec.store_lse)},
          {"kStoreTargetLogits", bool_literal(spec.store_target_logits)},
          {"kStoreEntropy", bool_literal(spec.store_entropy)},
          {"kStoreArgmax", bool_literal(spec.store_argmax)},
          {"kStoreAccuracy", bool_literal(spec.store_accuracy)},
          {"kStoreDHidden", bool_literal(spec.store_d_hidden)},
          {"kStoreDWeight", bool_literal(spec.store_d_weight)},
          {"kAccumulateDWeight", bool_literal(spec.accumulate_d_weight)}};
}

Result<RenderPlan> plan_linear_cross_entropy(const KernelSpec& any, const Target& target) {
  const auto& spec = std::get<LinearCrossEntropySpec>(any);
  return target.backend == Backend::cpu ? plan_linear_cross_entropy_cpu(spec, target)
                                        : plan_linear_cross_entropy_cuda(spec, target);
}

}  // namespace lathe::codegen
