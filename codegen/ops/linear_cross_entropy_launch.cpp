// What a launch of linear_cross_entropy is checked for, and its rounds: one per chunk of rows and classes.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include "codegen/ops/linear_cross_entropy.h"
#include "codegen/ops/linear_cross_entropy_steps.h"
#include "codegen/ops/row_tensors.h"
#include "codegen/spec_fields.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

using Mode = LinearCrossEntropyMode;
using Step = LinearCrossEntropyStep;
using Sweep = LinearCrossEntropySweep;

constexpr std::string_view kOp = SpecFields<LinearCrossEntropySpec>::op;
constexpr Index kMostTokens = (Index{1} << 31) - 256;
constexpr Index kMostClasses = Index{1} << 24;

bool is_shard(const LinearCrossEntropySpec& spec) {
  return spec.vocab_parallel && spec.mode == Mode::forward_only;
}

Result<void> check_counts(const LinearCrossEntropySpec& spec, const LinearCrossEntropyArgs& args) {
  if (args.tokens < 0 || args.tokens > kMostTokens) {
    return bad_argument(kOp, fmt::format("tokens is {}, allowed are 0 to 2^31 - 256", args.tokens),
                        "launch it in parts, and add up their losses");
  }
  if (spec.mode == Mode::merge && args.shards < 1) {
    return bad_argument(kOp, fmt::format("shards is {}, expected at least 1", args.shards));
  }
  if (args.workspace_budget < 0) {
    return bad_argument(kOp, fmt::format("workspace_budget is {} bytes", args.workspace_budget),
                        "give 0 for what is fast");
  }
  if (!spec.vocab_parallel) return {};
  if (args.vocab_total < 1 || args.vocab_total > kMostClasses) {
    return bad_argument(kOp, fmt::format("vocab_total is {}, allowed are 1 to 2^24: classes of all shards",
                                         args.vocab_total));
  }
  if (args.vocab_first < 0 || args.vocab_first > args.vocab_total - spec.vocab_size) {
    return bad_argument(kOp,
                        fmt::format("the shard's {} classes begin at vocab_first, {}, but vocab_total is {}",
                                    spec.vocab_size, args.vocab_first, args.vocab_total));
  }
  return {};
}

Result<void> check_scalar(const char* name, float value, bool in_range, std::string_view range) {
  if (in_range && std::isfinite(value)) return {};
  return bad_argument(kOp, fmt::format("{} is {}, {}", name, value, range));
}

Result<void> check_scalars(const LinearCrossEntropySpec& spec, const LinearCrossEntropyArgs& args) {
  if (spec.has_label_smoothing) {
    LATHE_CHECK(check_scalar("label_smoothing", args.label_smoothing,
                             args.label_smoothing >= 0 && args.label_smoothing <= 1, "it must be 0 to 1"));
  }
  if (spec.has_z_loss) {
    LATHE_CHECK(check_scalar("lse_square_scale", args.lse_square_scale, args.lse_square_scale >= 0,
                             "it must be finite and not negative"));
  }
  if (spec.has_soft_cap) {
    LATHE_CHECK(check_scalar("soft_cap", args.soft_cap, args.soft_cap > 0, "it must be finite and above 0"));
  }
  if (!spec.has_temperature) return {};
  return check_scalar("temperature", args.temperature, args.temperature > 0, "it must be finite and above 0");
}

/// A matrix whose rows are hidden_size elements.
struct Matrix {
  const char* name;
  DType dtype;
  const void* pointer;
  Index* stride;
  Index rows;
};

Result<void> check_matrix(const LinearCrossEntropySpec& spec, const Matrix& matrix) {
  const auto element = static_cast<std::int64_t>(size_of(matrix.dtype));
  const std::int64_t alignment = std::max(element, spec.alignment);
  if (*matrix.stride == 0) *matrix.stride = spec.hidden_size;
  if (*matrix.stride < spec.hidden_size || *matrix.stride > (Index{1} << 40)) {
    return bad_argument(kOp,
                        fmt::format("{}_stride is {} elements, expected at least hidden_size, {}",
                                    matrix.name, *matrix.stride, spec.hidden_size),
                        "rows may not overlap; 0 means tightly packed");
  }
  if (matrix.rows > 1 && *matrix.stride * element % alignment != 0) {
    return bad_argument(kOp,
                        fmt::format("{}_stride is {} bytes, no multiple of the spec's alignment of {}",
                                    matrix.name, *matrix.stride * element, alignment),
                        "pad the rows, or lower the spec's alignment");
  }
  return check_pointer(kOp, matrix.name, matrix.pointer, alignment);
}

Result<void> check_matrices(const LinearCrossEntropySpec& spec, LinearCrossEntropyArgs& args) {
  if (spec.mode == Mode::merge) return {};
  if (args.tokens > 0) {
    LATHE_CHECK(check_matrix(spec, {"hidden", spec.dtype, args.hidden, &args.hidden_stride, args.tokens}));
    LATHE_CHECK(
        check_matrix(spec, {"weight", spec.dtype, args.weight, &args.weight_stride, spec.vocab_size}));
    if (spec.has_bias)
      LATHE_CHECK(check_pointer(kOp, "bias", args.bias, static_cast<Index>(size_of(*spec.bias_dtype))));
    if (spec.store_d_hidden) {
      LATHE_CHECK(check_matrix(
          spec, {"d_hidden", *spec.d_hidden_dtype, args.d_hidden, &args.d_hidden_stride, args.tokens}));
    }
  }
  if (!spec.store_d_weight) return {};
  LATHE_CHECK(check_matrix(
      spec, {"d_weight", spec.d_weight_dtype, args.d_weight, &args.d_weight_stride, spec.vocab_size}));
  if (!spec.has_bias) return {};
  return check_pointer(kOp, "d_bias", args.d_bias, static_cast<Index>(size_of(spec.d_weight_dtype)));
}

/// Vectors of floats and of indices that there must be.
Result<void> check_vectors(const LinearCrossEntropySpec& spec, const LinearCrossEntropyArgs& args) {
  const bool has_tokens = args.tokens > 0;
  const bool has_losses = !is_shard(spec) && spec.mode != Mode::recompute;
  struct Vector {
    bool is_there;
    const char* name;
    const void* pointer;
    std::int64_t alignment;
  };
  const bool reduces = spec.reduction != LossReduction::none;
  const Vector vectors[] = {
      {has_tokens, "targets", args.targets, static_cast<std::int64_t>(size_of(spec.target_dtype))},
      {spec.has_class_weights, "class_weights", args.class_weights, 4},
      {spec.upstream == UpstreamGradient::scalar || (has_tokens && spec.upstream == UpstreamGradient::token),
       "upstream", args.upstream, 4},
      {has_tokens && spec.mode == Mode::recompute, "lse_in", args.lse_in, 4},
      {has_tokens && spec.mode == Mode::recompute && spec.scales_by_probability, "target_logits_in",
       args.target_logits_in, 4},
      {has_tokens && spec.has_entropy_gradient, "entropy_in", args.entropy_in, 4},
      {has_tokens && spec.has_entropy_gradient, "entropy_upstream", args.entropy_upstream, 4},
      {has_losses && reduces, "loss", args.loss, 4},
      {has_tokens && spec.store_losses, "losses", args.losses, 4},
      {spec.store_z_loss && (has_tokens || reduces), "z_loss", args.z_loss, 4},
      {has_tokens && spec.store_lse, "lse", args.lse, 4},
      {has_tokens && spec.store_target_logits, "target_logits", args.target_logits, 4},
      {has_tokens && spec.store_entropy && !is_shard(spec), "entropy", args.entropy, 4},
      {has_tokens && spec.store_argmax && !is_shard(spec), "argmax", args.argmax, 8},
      {spec.store_accuracy, "accuracy", args.accuracy, 4},
      {has_tokens && (is_shard(spec) || spec.mode == Mode::merge), "partials", args.partials, 4}};
  for (const Vector& vector : vectors) {
    if (vector.is_there) LATHE_CHECK(check_pointer(kOp, vector.name, vector.pointer, vector.alignment));
  }
  if (args.bad_targets == nullptr) return {};
  return check_pointer(kOp, "bad_targets", args.bad_targets, 4);
}

bool is_first(const LinearCrossEntropyArgs& args) {
  return args.first_row == 0 && args.first_class == 0 && sweep_of(args) != Sweep::d_hidden;
}

bool has_step(const LinearCrossEntropySpec& spec, Step step, const LinearCrossEntropyArgs& args,
              bool on_cpu) {
  switch (step) {
    case Step::rows:  // the CPU packs each chunk's
      return is_first(args) || (on_cpu && args.first_class == 0);
    case Step::logits:
    case Step::gradient:
      return args.tokens > 0;
    case Step::finish:
      return args.tokens > 0 && args.first_class == 0;
    case Step::d_hidden:
      return spec.store_d_hidden && sweep_of(args) != Sweep::d_weight && args.tokens > 0;
    case Step::d_weight:
    case Step::d_bias:
      return spec.store_d_weight && sweep_of(args) != Sweep::d_hidden &&
             (step == Step::d_weight || spec.has_bias) && !(args.tokens == 0 && spec.accumulate_d_weight);
    case Step::reduce:
      return !is_shard(spec) && args.first_row + args.chunk_rows >= args.tokens;
  }
  return false;
}

Grids grids_of(const LinearCrossEntropySpec& spec, const LaunchSite& site,
               const LinearCrossEntropyArgs& args) {
  Grids grids{};
  const bool on_cpu = !site.entries.empty() && site.entries.front().launch.block.x == 1;
  std::size_t entry = 0;
  for (const Step step : steps_of(spec.mode)) {
    if (has_step(spec, step, args, on_cpu))
      grids[entry] = on_cpu ? grid_on_cpu(spec, step, args) : grid_on_gpu(spec, step, args);
    ++entry;
  }
  return grids;
}

}  // namespace

std::span<const Step> steps_of(Mode mode) {
  static constexpr Step kForward[] = {Step::rows, Step::logits, Step::finish, Step::reduce};
  static constexpr Step kGradient[] = {Step::rows,     Step::logits,   Step::finish, Step::gradient,
                                       Step::d_hidden, Step::d_weight, Step::d_bias, Step::reduce};
  static constexpr Step kRecompute[] = {Step::rows,     Step::finish,   Step::logits,
                                        Step::d_hidden, Step::d_weight, Step::d_bias};
  static constexpr Step kMerge[] = {Step::rows, Step::finish, Step::reduce};
  switch (mode) {
    case Mode::forward_only:
      return kForward;
    case Mode::gradient_in_forward:
      return kGradient;
    case Mode::recompute:
      return kRecompute;
    case Mode::merge:
      break;
  }
  return kMerge;
}

std::string entry_name(Step step) {
  static constexpr std::string_view kNames[] = {"rows",     "logits",   "finish", "gradient",
                                                "d_hidden", "d_weight", "d_bias", "reduce"};
  return fmt::format("lathe_linear_cross_entropy_{}", kNames[static_cast<std::size_t>(step)]);
}

Result<Grids> prepare_linear_cross_entropy(const KernelSpec& any, const LaunchSite& site,
                                           std::span<std::byte> bytes) {
  const auto& spec = std::get<LinearCrossEntropySpec>(any);
  auto& args = *reinterpret_cast<LinearCrossEntropyArgs*>(bytes.data());
  LATHE_CHECK(check_counts(spec, args));
  LATHE_CHECK(check_scalars(spec, args));
  LATHE_CHECK(check_matrices(spec, args));
  LATHE_CHECK(check_vectors(spec, args));
  LATHE_TRY(const std::size_t needed, divide_linear_cross_entropy(spec, site, args));
  LATHE_CHECK(check_workspace(kOp, args.workspace, args.workspace_bytes, needed));
  return grids_of(spec, site, args);
}

bool next_round_of_linear_cross_entropy(const KernelSpec& any, const LaunchSite& site,
                                        std::span<std::byte> bytes, Grids& grids) {
  const auto& spec = std::get<LinearCrossEntropySpec>(any);
  auto& args = *reinterpret_cast<LinearCrossEntropyArgs*>(bytes.data());
  args.first_class += args.chunk_classes;
  if (args.first_class >= spec.vocab_size) {
    args.first_class = 0;
    args.first_row += args.chunk_rows;
    if (args.first_row >= args.tokens && !begin_next_sweep(spec, site, args)) return false;
  }
  grids = grids_of(spec, site, args);
  return true;
}

Result<std::size_t> workspace_bytes_of_linear_cross_entropy(const KernelSpec& any, const LaunchSite& site,
                                                            std::span<const std::byte> bytes) {
  const auto& spec = std::get<LinearCrossEntropySpec>(any);
  auto args = *reinterpret_cast<const LinearCrossEntropyArgs*>(bytes.data());
  LATHE_CHECK(check_counts(spec, args));
  return divide_linear_cross_entropy(spec, site, args);
}

}  // namespace lathe::codegen
