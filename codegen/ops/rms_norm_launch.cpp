// What a launch of rms_norm is checked for, and how large its grids are.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "codegen/ops/rms_norm.h"
#include "codegen/ops/row_tensors.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

constexpr std::string_view kOp = "rms_norm";

Result<void> check_scalars(const RmsNormSpec& spec, const RmsNormArgs& args) {
  constexpr Index kMaxRows = Index{1} << 46;  // beyond any memory; times heads it stays below 2^63
  if (args.rows < 0 || args.rows > kMaxRows) {
    return bad_argument(kOp, fmt::format("rows is {}, allowed are 0 to 2^46", args.rows));
  }
  if (!std::isfinite(args.epsilon) || args.epsilon < 0) {
    return bad_argument(kOp, fmt::format("epsilon is {}, it must be finite and not negative", args.epsilon));
  }
  // Below, the reciprocal of the scale would not be a normal float.
  constexpr float kSmallestFloor = 1e-30f;
  if (makes_scale(spec) && (!std::isfinite(args.amax_floor) || args.amax_floor < kSmallestFloor)) {
    return bad_argument(
        kOp, fmt::format("amax_floor is {}, it must be finite and 1e-30 or larger", args.amax_floor));
  }
  return {};
}

Result<void> check_rows(const RmsNormSpec& spec, const RowShape& shape, RmsNormArgs& args) {
  const RowTensor x{"x", spec.dtype, args.x, &args.x_row_stride, &args.x_head_stride, false};
  const RowTensor y{"y", *spec.y_dtype, args.y, &args.y_row_stride, &args.y_head_stride, true};
  LATHE_CHECK(resolve_row_tensor(shape, x));
  LATHE_CHECK(resolve_row_tensor(shape, y));
  LATHE_CHECK(check_in_place(kOp, x, y));
  if (spec.residual == Residual::none) return {};
  const RowTensor in{"residual_in",
                     spec.dtype,
                     args.residual_in,
                     &args.residual_in_row_stride,
                     &args.residual_in_head_stride,
                     false};
  const RowTensor out{"residual_out",
                      spec.dtype,
                      args.residual_out,
                      &args.residual_out_row_stride,
                      &args.residual_out_head_stride,
                      true};
  LATHE_CHECK(resolve_row_tensor(shape, in));
  LATHE_CHECK(resolve_row_tensor(shape, out));
  LATHE_CHECK(check_in_place(kOp, in, out));
  if (args.y == args.residual_out) {
    return bad_argument(kOp, "y and residual_out are the same memory", "each receives a result of its own");
  }
  return {};
}

/// Fills in the strides of the scales that are 0. Scales of two rows or blocks must not be the same float.
Result<void> check_scales(const RmsNormSpec& spec, RmsNormArgs& args) {
  if (spec.y_scale == OutputScale::given) {
    return check_pointer(kOp, "y_scale_in", args.y_scale_in, sizeof(float));
  }
  if (!makes_scale(spec)) return {};
  LATHE_CHECK(check_pointer(kOp, "y_scale_out", args.y_scale_out, sizeof(float)));
  if (spec.y_scale == OutputScale::per_tensor) return {};
  const Index blocks = scale_blocks(spec);
  if (args.y_scale_block_stride == 0 || blocks == 1) args.y_scale_block_stride = 1;
  if (args.y_scale_head_stride == 0 || spec.heads == 1) args.y_scale_head_stride = blocks;
  if (args.y_scale_row_stride == 0 || args.rows == 1) args.y_scale_row_stride = spec.heads * blocks;
  struct Axis {
    Index extent;
    Index stride;
  };
  Axis axes[] = {{args.rows, args.y_scale_row_stride},
                 {spec.heads, args.y_scale_head_stride},
                 {blocks, args.y_scale_block_stride}};
  // From the innermost axis outwards, each must step over all that lies within.
  std::sort(std::begin(axes), std::end(axes),
            [](const Axis& a, const Axis& b) { return a.stride < b.stride; });
  Index inner = 1;
  for (const Axis& axis : axes) {
    if (axis.extent == 1) continue;
    Index reach = 0;
    if (axis.stride < inner || __builtin_mul_overflow(axis.extent - 1, axis.stride, &reach) ||
        __builtin_add_overflow(inner, reach, &inner)) {
      return bad_argument(
          kOp,
          fmt::format("y_scale_out: strides of {}, {} and {} floats give two scales the same "
                      "place, or lie beyond any memory",
                      args.y_scale_row_stride, args.y_scale_head_stride, args.y_scale_block_stride),
          "a stride of 0 means tightly packed: rows, heads, blocks");
    }
  }
  return {};
}

/// Blocks of the entry that writes y.
Index row_blocks(const RmsNormSpec& spec, const LaunchFacts& launch, Index rows) {
  const Index units = rows * spec.heads;
  return (units + launch.work_per_block - 1) / launch.work_per_block * launch.cluster.x;
}

/// Blocks that look for the largest magnitude: on a GPU as many as run at a time.
Index amax_blocks(const RmsNormSpec& spec, const LaunchSite& site, Index rows) {
  const LaunchFacts& launch = site.entries.back().launch;
  const Index blocks = row_blocks(spec, launch, rows);
  if (launch.block.x == 1) return blocks;
  constexpr Index kThreadsPerProcessor = 2048;
  const Index at_a_time = site.processors * std::max<Index>(1, kThreadsPerProcessor / launch.block.x);
  return std::min(blocks, std::max<Index>(1, at_a_time / launch.cluster.x) * launch.cluster.x);
}

}  // namespace

Result<Grids> prepare_rms_norm(const KernelSpec& any, const LaunchSite& site, std::span<std::byte> bytes) {
  const auto& spec = std::get<RmsNormSpec>(any);
  auto& args = *reinterpret_cast<RmsNormArgs*>(bytes.data());
  LATHE_CHECK(check_scalars(spec, args));
  if (args.rows == 0) return Grids{};
  const RowShape shape{.op = kOp,
                       .rows = args.rows,
                       .heads = spec.heads,
                       .hidden = spec.hidden_size,
                       .dtype = spec.dtype,
                       .alignment = spec.alignment};
  LATHE_CHECK(check_rows(spec, shape, args));
  if (spec.has_weight) {
    LATHE_CHECK(check_pointer(kOp, "weight", args.weight, shape.alignment_of(*spec.weight_dtype)));
  }
  if (spec.store_rstd) LATHE_CHECK(check_pointer(kOp, "rstd", args.rstd, sizeof(float)));
  LATHE_CHECK(check_scales(spec, args));
  const Index blocks = row_blocks(spec, site.entries.back().launch, args.rows);
  constexpr Index kMaxBlocks = 0x7FFFFFFF;
  if (blocks > kMaxBlocks) {
    return bad_argument(
        kOp, fmt::format("rows is {}, {} blocks, more than a grid of 2^31 - 1 takes", args.rows, blocks),
        "launch it in parts");
  }
  const Grid rows{.x = static_cast<std::uint64_t>(blocks)};
  if (spec.y_scale != OutputScale::per_tensor) return Grids{rows};
  args.partials = amax_blocks(spec, site, args.rows);
  LATHE_CHECK(check_workspace(kOp, args.workspace, args.workspace_bytes,
                              static_cast<std::size_t>(args.partials) * sizeof(float)));
  return Grids{Grid{.x = static_cast<std::uint64_t>(args.partials)}, Grid{.x = 1}, rows};
}

Result<std::size_t> workspace_bytes_of_rms_norm(const KernelSpec& any, const LaunchSite& site,
                                                std::span<const std::byte> bytes) {
  const auto& spec = std::get<RmsNormSpec>(any);
  const auto& args = *reinterpret_cast<const RmsNormArgs*>(bytes.data());
  if (spec.y_scale != OutputScale::per_tensor) return std::size_t{0};
  LATHE_CHECK(check_scalars(spec, args));
  return static_cast<std::size_t>(amax_blocks(spec, site, args.rows)) * sizeof(float);
}

}  // namespace lathe::codegen
