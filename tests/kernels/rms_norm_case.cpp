#include "tests/kernels/rms_norm_case.h"

#include <algorithm>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "codegen/canonical.h"
#include "tests/reference/rms_norm.h"
#include "tests/support/kernel_report.h"

namespace lathe::tests {

namespace {

using reference::Bounds;

Placement placement_of(const RmsNormCase& test) {
  return {.rows = test.rows,
          .heads = test.spec.heads,
          .hidden = test.spec.hidden_size,
          .row_padding = test.row_padding,
          .head_padding = test.head_padding,
          .heads_outside = test.heads_outside,
          .offset_elements = test.offset_elements};
}

Index scale_blocks(const RmsNormSpec& spec) {
  return spec.y_scale == OutputScale::per_block ? (spec.hidden_size + 127) / 128 : 1;
}

/// The tensors of one launch.
struct Launch {
  Launch(Runtime& runtime, const RmsNormCase& given)
      : test(given), placement(placement_of(given)), random(given.seed) {
    const RmsNormSpec& spec = test.spec;
    x = random_rows(runtime, placement, 0, test.values, spec.dtype, random);
    y = test.in_place ? x : poisoned_rows(runtime, placement, 1, spec.y_dtype.value_or(spec.dtype));
    if (spec.residual != Residual::none) {
      residual = random_rows(runtime, placement, 2, test.values, spec.dtype, random);
      sum = test.in_place ? residual : poisoned_rows(runtime, placement, 3, spec.dtype);
    }
    const auto add = [&](HostTensor values) {
      return std::make_shared<DeviceTensor>(runtime, placement, std::move(values));
    };
    if (spec.has_weight) {
      const Index rows = spec.weight_per_head ? spec.heads : 1;
      const auto count = static_cast<std::size_t>(rows * spec.hidden_size);
      weight = add(random_tensor(Values::ordinary, spec.weight_dtype.value_or(spec.dtype), count, random));
    }
    const auto units = static_cast<std::size_t>(test.rows * spec.heads);
    if (spec.store_rstd) rstd = add(HostTensor::poisoned(f32, units));
    if (spec.y_scale == OutputScale::given) {
      HostTensor scale(f32, 1);
      scale.set(0, test.scale);
      scale_in = add(scale);
    } else if (spec.y_scale != OutputScale::none) {
      const std::size_t count =
          spec.y_scale == OutputScale::per_tensor ? 1 : units * static_cast<std::size_t>(scale_blocks(spec));
      scale_out = add(HostTensor::poisoned(f32, count));
    }
  }

  RmsNormArgs args() const {
    RmsNormArgs args{.rows = test.rows, .epsilon = test.epsilon};
    args.x = x->device.data();
    args.y = y->device.data();
    args.x_row_stride = x->layout.row_stride;
    args.x_head_stride = x->layout.head_stride;
    args.y_row_stride = y->layout.row_stride;
    args.y_head_stride = y->layout.head_stride;
    if (weight) args.weight = weight->device.data();
    if (rstd) args.rstd = static_cast<float*>(rstd->device.data());
    if (scale_in) args.y_scale_in = static_cast<const float*>(scale_in->device.data());
    if (scale_out) args.y_scale_out = static_cast<float*>(scale_out->device.data());
    if (test.blocks_outside) {
      args.y_scale_block_stride = test.rows * test.spec.heads;
      args.y_scale_row_stride = test.spec.heads;
      args.y_scale_head_stride = 1;
    }
    if (!residual) return args;
    args.residual_in = residual->device.data();
    args.residual_out = sum->device.data();
    args.residual_in_row_stride = residual->layout.row_stride;
    args.residual_in_head_stride = residual->layout.head_stride;
    args.residual_out_row_stride = sum->layout.row_stride;
    args.residual_out_head_stride = sum->layout.head_stride;
    return args;
  }

  const RmsNormCase& test;
  Placement placement;
  std::mt19937 random;
  // null: not of this spec; shared: in place
  SharedTensor x, y, residual, sum, weight, rstd, scale_in, scale_out;
};

/// What the outputs hold after the launch.
struct Outputs {
  HostTensor y;
  std::optional<HostTensor> sum, rstd, scale;
};

reference::RmsNormRow expected_row(const Launch& launch, Index token, Index head) {
  const RmsNormSpec& spec = launch.test.spec;
  const Index hidden = spec.hidden_size;
  const auto weight_begin = static_cast<std::size_t>(spec.weight_per_head ? head * hidden : 0);
  return reference::rms_norm(
      spec, row_of(launch.x, token, head, hidden), row_of(launch.residual, token, head, hidden),
      elements_of(launch.weight, weight_begin, hidden), static_cast<double>(launch.test.epsilon));
}

/// The scale of an element, as the kernel has made it.
double scale_at(const Launch& launch, const Outputs& outputs, Index token, Index head, Index element) {
  const RmsNormSpec& spec = launch.test.spec;
  if (spec.y_scale == OutputScale::given) return launch.scale_in->before.at(0);
  if (!outputs.scale) return 1;
  if (spec.y_scale == OutputScale::per_tensor) return outputs.scale->at(0);
  const Index unit = token * spec.heads + head;
  const Index block = spec.y_scale == OutputScale::per_block ? element / 128 : 0;
  return outputs.scale->at(static_cast<std::size_t>(launch.test.blocks_outside
                                                        ? block * launch.test.rows * spec.heads + unit
                                                        : unit * scale_blocks(spec) + block));
}

std::string compare_scales(const Launch& launch, const Outputs& outputs, const reference::RmsNormRow& row,
                           Index token, Index head) {
  const RmsNormSpec& spec = launch.test.spec;
  const Index length = spec.y_scale == OutputScale::per_block ? 128 : spec.hidden_size;
  for (Index begin = 0; begin < spec.hidden_size; begin += length) {
    const Bounds expected =
        reference::scale_of(spec, {row}, static_cast<std::size_t>(begin),
                            static_cast<std::size_t>(std::min<Index>(begin + length, spec.hidden_size)),
                            double{RmsNormArgs{}.amax_floor});
    const double scale = scale_at(launch, outputs, token, head, begin);
    if (within(scale, expected)) continue;
    return fmt::format("y_scale_out[{}, {}, {}] is {}, expected {} to {}", token, head, begin / length, scale,
                       expected.low, expected.high);
  }
  return {};
}

std::string compare_row(const Launch& launch, const Outputs& outputs, Index token, Index head) {
  const RmsNormSpec& spec = launch.test.spec;
  const auto expected = expected_row(launch, token, head);
  if (outputs.scale && spec.y_scale != OutputScale::per_tensor) {
    std::string wrong = compare_scales(launch, outputs, expected, token, head);
    if (!wrong.empty()) return wrong;
  }
  for (std::size_t i = 0; i < expected.y.size(); ++i) {
    const double y = outputs.y.at(launch.y->layout.row(token, head) + i);
    const Bounds stored =
        reference::stored(spec, expected.y[i], scale_at(launch, outputs, token, head, static_cast<Index>(i)));
    if (!within(y, stored)) {
      return fmt::format("y[{}, {}, {}] is {}, expected {} to {}", token, head, i, y, stored.low,
                         stored.high);
    }
    if (!outputs.sum) continue;
    const double sum = outputs.sum->at(launch.sum->layout.row(token, head) + i);
    if (!within(sum, {expected.residual_out[i], expected.residual_out[i]})) {
      return fmt::format("residual_out[{}, {}, {}] is {}, expected {}", token, head, i, sum,
                         expected.residual_out[i]);
    }
  }
  if (!outputs.rstd) return {};
  const double rstd = outputs.rstd->at(static_cast<std::size_t>(token * spec.heads + head));
  if (within(rstd, expected.rstd)) return {};
  return fmt::format("rstd[{}, {}] is {}, expected {} to {}", token, head, rstd, expected.rstd.low,
                     expected.rstd.high);
}

std::string compare_tensor_scale(const Launch& launch, const Outputs& outputs) {
  std::vector<reference::RmsNormRow> rows;
  for (Index token = 0; token < launch.test.rows; ++token) {
    for (Index head = 0; head < launch.test.spec.heads; ++head)
      rows.push_back(expected_row(launch, token, head));
  }
  const auto hidden = static_cast<std::size_t>(launch.test.spec.hidden_size);
  const Bounds expected =
      reference::scale_of(launch.test.spec, rows, 0, hidden, double{RmsNormArgs{}.amax_floor});
  const double scale = outputs.scale->at(0);
  if (within(scale, expected)) return {};
  return fmt::format("y_scale_out is {}, expected {} to {}", scale, expected.low, expected.high);
}

/// All rows are compared, or of very many one in several: the step is odd, so it meets every place in a
/// block.
Index step_between_compared(Index units) {
  constexpr Index kMostRows = 1024;
  return units <= kMostRows ? 1 : units / kMostRows * 16 + 1;
}

std::string compare(const Launch& launch) {
  const RmsNormCase& test = launch.test;
  Outputs outputs{launch.y->now(), std::nullopt, std::nullopt, std::nullopt};
  std::string wrong = changed_padding(launch.placement, *launch.y, outputs.y, "y");
  if (!wrong.empty()) return wrong;
  if (launch.sum) {
    outputs.sum = launch.sum->now();
    wrong = changed_padding(launch.placement, *launch.sum, *outputs.sum, "residual_out");
    if (!wrong.empty()) return wrong;
  }
  if (launch.rstd) outputs.rstd = launch.rstd->now();
  if (launch.scale_out) outputs.scale = launch.scale_out->now();
  if (test.spec.y_scale == OutputScale::per_tensor && test.rows > 0) {
    wrong = compare_tensor_scale(launch, outputs);
    if (!wrong.empty()) return wrong;
  }
  const Index units = test.rows * test.spec.heads;
  for (Index unit = units - 1; unit >= 0; unit -= step_between_compared(units)) {
    wrong = compare_row(launch, outputs, unit / test.spec.heads, unit % test.spec.heads);
    if (!wrong.empty()) return wrong;
  }
  return {};
}

}  // namespace

std::string run_rms_norm(Runtime& runtime, const RmsNormCase& test) {
  auto kernel = runtime.get(test.spec);
  if (!kernel) return kernel.error().text();
  const Launch launch(runtime, test);
  std::string wrong;
  RmsNormArgs args = launch.args();
  args.workspace_bytes = static_cast<Index>(kernel->workspace_bytes(args).value());
  const DeviceTensor workspace(runtime, {},
                               HostTensor::poisoned(f32, static_cast<std::size_t>(args.workspace_bytes) / 4));
  args.workspace = workspace.device.data();
  if (auto queued = kernel->launch(args, {}); !queued) {
    wrong = queued.error().text();
  } else if (auto done = runtime.synchronize({}); !done) {
    wrong = done.error().text();
  } else {
    wrong = compare(launch);
    workspace.now();  // checks the bands around it
  }
  report_kernel(test.spec, runtime.target(), wrong.empty());
  return wrong.empty() ? wrong : fmt::format("{}: {}", codegen::canonical_text(kernel->spec()), wrong);
}

}  // namespace lathe::tests
