#include "tests/kernels/rms_norm_backward_case.h"

#include <cstddef>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "codegen/canonical.h"
#include "tests/reference/rms_norm_backward.h"
#include "tests/support/kernel_report.h"

namespace lathe::tests {

namespace {

Placement placement_of(const RmsNormBackwardCase& test) {
  return {.rows = test.rows,
          .heads = test.spec.heads,
          .hidden = test.spec.hidden_size,
          .row_padding = test.row_padding,
          .head_padding = test.head_padding,
          .heads_outside = test.heads_outside,
          .offset_elements = test.offset_elements};
}

/// Of all rows, as a forward pass would have stored it.
HostTensor rstd_of(const RmsNormBackwardCase& test, const SharedTensor& x) {
  const Index heads = test.spec.heads;
  HostTensor rstd(f32, static_cast<std::size_t>(test.rows * heads));
  for (Index unit = 0; unit < test.rows * heads; ++unit) {
    const auto row = row_of(x, unit / heads, unit % heads, test.spec.hidden_size);
    const auto bounds = reference::reciprocal_root(test.spec.casting, test.spec.dtype, row,
                                                   static_cast<double>(test.epsilon));
    rstd.set(static_cast<std::size_t>(unit), bounds.low);
  }
  return rstd;
}

/// The tensors of one launch.
struct Launch {
  Launch(Runtime& runtime, const RmsNormBackwardCase& given)
      : test(given), placement(placement_of(given)), random(given.seed) {
    const RmsNormBackwardSpec& spec = test.spec;
    x = random_rows(runtime, placement, 0, test.values, spec.dtype, random);
    dy = random_rows(runtime, placement, 1, Values::ordinary, spec.dtype, random);
    if (spec.has_dresidual)
      dresidual = random_rows(runtime, placement, 2, Values::ordinary, spec.dtype, random);
    if (spec.store_dx)
      dx = test.dx == DxPlace::own ? poisoned_rows(runtime, placement, 3, spec.dtype) : in_place();
    const auto add = [&](HostTensor values) {
      return std::make_shared<DeviceTensor>(runtime, placement, std::move(values));
    };
    const auto columns = static_cast<std::size_t>((spec.weight_per_head ? spec.heads : 1) * spec.hidden_size);
    const DType weight_dtype = spec.weight_dtype.value_or(spec.dtype);
    if (spec.has_weight) weight = add(random_tensor(Values::ordinary, weight_dtype, columns, random));
    if (spec.has_weight && spec.store_dw) {
      const DType dtype = spec.dw_dtype.value_or(weight_dtype);
      dw = add(spec.accumulate_dw ? random_tensor(Values::ordinary, dtype, columns, random)
                                  : HostTensor::poisoned(dtype, columns));
    }
    if (spec.load_rstd) rstd = add(rstd_of(test, x));
  }

  SharedTensor in_place() const {
    return test.dx == DxPlace::dy ? dy : test.dx == DxPlace::x ? x : dresidual;
  }

  RmsNormBackwardArgs args() const {
    RmsNormBackwardArgs args{.rows = test.rows, .epsilon = test.epsilon};
    args.dy = dy->device.data();
    args.x = x->device.data();
    if (weight) args.weight = weight->device.data();
    if (rstd) args.rstd = static_cast<const float*>(rstd->device.data());
    if (dw) args.dw = dw->device.data();
    const auto place = [](const SharedTensor& tensor, auto& pointer, Index& row, Index& head) {
      if (!tensor) return;
      pointer = tensor->device.data();
      row = tensor->layout.row_stride;
      head = tensor->layout.head_stride;
    };
    place(dy, args.dy, args.dy_row_stride, args.dy_head_stride);
    place(x, args.x, args.x_row_stride, args.x_head_stride);
    place(dresidual, args.dresidual, args.dresidual_row_stride, args.dresidual_head_stride);
    place(dx, args.dx, args.dx_row_stride, args.dx_head_stride);
    return args;
  }

  /// As before any launch.
  void restore() {
    for (const SharedTensor& tensor : {x, dy, dresidual, dx, dw}) {
      if (tensor) tensor->device.upload(tensor->before.bytes().data());
    }
  }

  const RmsNormBackwardCase& test;
  Placement placement;
  std::mt19937 random;
  SharedTensor x, dy, dresidual, dx, weight, dw, rstd;  // null: not of this spec; shared: in place
};

/// What the outputs hold after a launch.
struct Outputs {
  std::optional<HostTensor> dx, dw;

  explicit Outputs(const Launch& launch) {
    if (launch.dx) dx = launch.dx->now();
    if (launch.dw) dw = launch.dw->now();
  }
  bool operator==(const Outputs& other) const {
    return (!dx || dx->bytes() == other.dx->bytes()) && (!dw || dw->bytes() == other.dw->bytes());
  }
};

/// The rows that share a weight, all of them or those of one head, in order.
std::vector<Index> units_of(const RmsNormBackwardCase& test, Index group) {
  std::vector<Index> units;
  const Index step = test.spec.weight_per_head ? test.spec.heads : 1;
  for (Index unit = group; unit < test.rows * test.spec.heads; unit += step) units.push_back(unit);
  return units;
}

reference::RmsNormGradient expected_of(const Launch& launch, Index group) {
  const RmsNormBackwardSpec& spec = launch.test.spec;
  const Index hidden = spec.hidden_size;
  std::vector<reference::GradientRow> rows;
  for (const Index unit : units_of(launch.test, group)) {
    const Index token = unit / spec.heads;
    const Index head = unit % spec.heads;
    rows.push_back({.dy = row_of(launch.dy, token, head, hidden),
                    .x = row_of(launch.x, token, head, hidden),
                    .dresidual = row_of(launch.dresidual, token, head, hidden),
                    .rstd = launch.rstd ? launch.rstd->before.at(static_cast<std::size_t>(unit)) : 0});
  }
  const auto begin = static_cast<std::size_t>(group * hidden);
  return reference::rms_norm_backward(
      spec, rows, elements_of(launch.weight, begin, hidden),
      spec.accumulate_dw ? elements_of(launch.dw, begin, hidden) : std::vector<double>{},
      static_cast<double>(launch.test.epsilon));
}

std::string compare_group(const Launch& launch, const Outputs& outputs, Index group) {
  const RmsNormBackwardSpec& spec = launch.test.spec;
  const auto expected = expected_of(launch, group);
  const auto units = units_of(launch.test, group);
  for (std::size_t row = 0; outputs.dx && row < units.size(); ++row) {
    const Index token = units[row] / spec.heads;
    const Index head = units[row] % spec.heads;
    for (std::size_t i = 0; i < expected.dx[row].size(); ++i) {
      const double dx = outputs.dx->at(launch.dx->layout.row(token, head) + i);
      if (within(dx, expected.dx[row][i])) continue;
      return fmt::format("dx[{}, {}, {}] is {}, expected {} to {}", token, head, i, dx,
                         expected.dx[row][i].low, expected.dx[row][i].high);
    }
  }
  for (std::size_t i = 0; outputs.dw && i < expected.dw.size(); ++i) {
    const double dw = outputs.dw->at(static_cast<std::size_t>(group * spec.hidden_size) + i);
    if (within(dw, expected.dw[i])) continue;
    return fmt::format("dw[{}, {}] is {}, expected {} to {}", group, i, dw, expected.dw[i].low,
                       expected.dw[i].high);
  }
  return {};
}

/// Inputs are inputs, unless dx is one of them. Empty: they are.
std::string changed_input(const Launch& launch) {
  const std::pair<const SharedTensor&, const char*> inputs[] = {{launch.dy, "dy"},
                                                                {launch.x, "x"},
                                                                {launch.dresidual, "dresidual"},
                                                                {launch.weight, "weight"},
                                                                {launch.rstd, "rstd"}};
  for (const auto& [tensor, name] : inputs) {
    if (tensor && tensor != launch.dx && tensor->now().bytes() != tensor->before.bytes())
      return fmt::format("{} was written", name);
  }
  return {};
}

std::string compare(const Launch& launch, const Outputs& outputs) {
  if (std::string wrong = changed_input(launch); !wrong.empty()) return wrong;
  if (outputs.dx) {
    std::string wrong = changed_padding(launch.placement, *launch.dx, *outputs.dx, "dx");
    if (!wrong.empty()) return wrong;
  }
  const Index groups = launch.test.spec.weight_per_head ? launch.test.spec.heads : 1;
  for (Index group = 0; group < groups; ++group) {
    std::string wrong = compare_group(launch, outputs, group);
    if (!wrong.empty()) return wrong;
  }
  return {};
}

Result<void> launch_and_wait(Runtime& runtime, const KernelFor<RmsNormBackwardSpec>& kernel,
                             const RmsNormBackwardArgs& args) {
  if (auto queued = kernel.launch(args, {}); !queued) return queued;
  return runtime.synchronize({});
}

}  // namespace

std::string run_rms_norm_backward(Runtime& runtime, const RmsNormBackwardCase& test) {
  auto kernel = runtime.get(test.spec);
  if (!kernel) return kernel.error().text();
  Launch launch(runtime, test);
  RmsNormBackwardArgs args = launch.args();
  args.workspace_bytes = static_cast<Index>(kernel->workspace_bytes(args).value());
  const DeviceTensor workspace(runtime, {},
                               HostTensor::poisoned(f32, static_cast<std::size_t>(args.workspace_bytes) / 4));
  args.workspace = workspace.device.data();
  std::string wrong;
  if (auto done = launch_and_wait(runtime, *kernel, args); !done) {
    wrong = done.error().text();
  } else {
    const Outputs first(launch);
    wrong = compare(launch, first);
    launch.restore();
    if (auto again = launch_and_wait(runtime, *kernel, args); !again) {
      wrong = again.error().text();
    } else if (wrong.empty() && !(Outputs(launch) == first)) {
      wrong = "the second launch gave other bits than the first";
    }
    workspace.now();  // checks the bands around it
  }
  report_kernel(test.spec, runtime.target(), wrong.empty());
  return wrong.empty() ? wrong : fmt::format("{}: {}", codegen::canonical_text(kernel->spec()), wrong);
}

}  // namespace lathe::tests
