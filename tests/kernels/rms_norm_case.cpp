#include "tests/kernels/rms_norm_case.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "codegen/canonical.h"
#include "tests/reference/rms_norm.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/host_tensor.h"
#include "tests/support/kernel_report.h"

namespace lathe::tests {

namespace {

using reference::Bounds;

/// Where a row begins, in elements, and how many elements the whole tensor spans.
struct Layout {
  Index row_stride = 0;
  Index head_stride = 0;
  std::size_t span = 0;

  std::size_t row(Index token, Index head) const {
    return static_cast<std::size_t>(token * row_stride + head * head_stride);
  }
};

/// Of the tensor of this number. Padded ones all differ, so that no stride can stand in for another.
Layout layout_of(const RmsNormCase& test, Index number) {
  constexpr Index kStep = 16;  // keeps every alignment
  const RmsNormSpec& spec = test.spec;
  const bool is_padded = test.row_padding != 0 || test.head_padding != 0;
  const Index row_padding = is_padded ? test.row_padding + number * kStep : 0;
  const Index head_padding = is_padded && spec.heads > 1 ? test.head_padding + number * kStep : 0;
  Layout layout{};
  if (test.heads_outside) {
    layout.row_stride = spec.hidden_size + row_padding;
    layout.head_stride = layout.row_stride * std::max<Index>(test.rows, 1) + head_padding;
  } else {
    layout.head_stride = spec.hidden_size + head_padding;
    layout.row_stride = layout.head_stride * spec.heads + row_padding;
  }
  layout.span = static_cast<std::size_t>(std::max<Index>(0, test.rows - 1) * layout.row_stride +
                                         (spec.heads - 1) * layout.head_stride + spec.hidden_size);
  return layout;
}

double scale_of(Values values, DType dtype) {
  switch (values) {
    case Values::large:
      return dtype == f16 ? 8000.0 : 1e17;
    case Values::overflowing:
      return dtype == f16 ? 50000.0 : 1e25;
    case Values::tiny:
      return dtype == f16 ? 1e-7 : 1e-39;
    case Values::zero:
      return 0;
    case Values::ordinary:
    case Values::not_finite:
      break;
  }
  return 1;
}

HostTensor random_tensor(Values values, DType dtype, std::size_t count, std::mt19937& random) {
  std::normal_distribution<double> normal;
  const double scale = scale_of(values, dtype);
  // f16's own range ends at 65504; what is drawn beyond it would be infinite.
  const double largest = dtype == f16 ? 65504.0 : std::numeric_limits<double>::max();
  HostTensor tensor(dtype, count);
  for (std::size_t i = 0; i < count; ++i)
    tensor.set(i, std::clamp(normal(random) * scale, -largest, largest));
  return tensor;
}

/// A tensor of rows on the host, as it was before the launch, and on the device.
struct Rows {
  Rows(Runtime& runtime, const RmsNormCase& test, HostTensor values, Layout its_layout)
      : layout(its_layout),
        before(std::move(values)),
        device(runtime, before.bytes().size(),
               static_cast<std::size_t>(test.offset_elements) * before.element_bytes()) {
    device.upload(before.bytes().data());
  }

  HostTensor now() const {
    HostTensor tensor = before;
    tensor.bytes() = device.download();
    return tensor;
  }

  Layout layout;
  HostTensor before;
  GuardedBuffer device;
};

/// The tensors of one launch.
struct Launch {
  Launch(Runtime& runtime, const RmsNormCase& given) : test(given), random(given.seed) {
    const RmsNormSpec& spec = test.spec;
    x = input(runtime, 0);
    y = test.in_place ? x : output(runtime, 1);
    if (spec.residual != Residual::none) {
      residual = input(runtime, 2);
      sum = test.in_place ? residual : output(runtime, 3);
    }
    if (spec.has_weight) {
      const auto count = static_cast<std::size_t>(spec.hidden_size);
      weight = std::make_shared<Rows>(
          runtime, test,
          random_tensor(Values::ordinary, spec.weight_dtype.value_or(spec.dtype), count, random), Layout{});
    }
    if (spec.store_rstd) {
      const auto count = static_cast<std::size_t>(test.rows * spec.heads);
      rstd = std::make_shared<Rows>(runtime, test, HostTensor::poisoned(f32, count), Layout{});
    }
  }

  std::shared_ptr<Rows> input(Runtime& runtime, Index number) {
    const Layout layout = layout_of(test, number);
    HostTensor values = random_tensor(test.values, test.spec.dtype, layout.span, random);
    if (test.values == Values::not_finite && number == 0) {
      const auto middle = static_cast<std::size_t>(test.spec.hidden_size / 2);
      values.set(layout.row(0, 0) + middle, std::nan(""));
      values.set(layout.row(test.rows - 1, 0) + middle, -std::numeric_limits<double>::infinity());
    }
    return std::make_shared<Rows>(runtime, test, std::move(values), layout);
  }
  std::shared_ptr<Rows> output(Runtime& runtime, Index number) const {
    const Layout layout = layout_of(test, number);
    return std::make_shared<Rows>(runtime, test, HostTensor::poisoned(test.spec.dtype, layout.span), layout);
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
  std::mt19937 random;
  std::shared_ptr<Rows> x, y, residual, sum, weight, rstd;  // null: not of this spec; shared: in place
};

/// One row of a tensor; nothing if there is no such tensor.
std::vector<double> row_of(const std::shared_ptr<Rows>& tensor, Index token, Index head, Index count) {
  std::vector<double> values;
  if (!tensor) return values;
  const std::size_t begin = tensor->layout.row(token, head);
  for (Index i = 0; i < count; ++i) values.push_back(tensor->before.at(begin + static_cast<std::size_t>(i)));
  return values;
}

/// Padding must be as it was: compares the bytes of all elements that no row covers.
std::string changed_padding(const RmsNormCase& test, const Rows& rows, const HostTensor& after,
                            const char* name) {
  std::vector<bool> covered(after.count(), false);
  for (Index token = 0; token < test.rows; ++token) {
    for (Index head = 0; head < test.spec.heads; ++head) {
      const auto begin = covered.begin() + static_cast<std::ptrdiff_t>(rows.layout.row(token, head));
      std::fill(begin, begin + test.spec.hidden_size, true);
    }
  }
  const std::size_t size = after.element_bytes();
  for (std::size_t i = 0; i < covered.size(); ++i) {
    if (!covered[i] &&
        std::memcmp(rows.before.bytes().data() + i * size, after.bytes().data() + i * size, size) != 0) {
      return fmt::format("{}: element {} between the rows was written", name, i);
    }
  }
  return {};
}

bool within(double value, Bounds bounds) {
  if (std::isnan(bounds.low) || std::isnan(bounds.high)) return std::isnan(value);
  return value >= bounds.low && value <= bounds.high;
}

/// What the outputs hold after the launch.
struct Outputs {
  HostTensor y;
  std::optional<HostTensor> sum, rstd;
};

std::string compare_row(const Launch& launch, const Outputs& outputs, Index token, Index head) {
  const RmsNormSpec& spec = launch.test.spec;
  const Index hidden = spec.hidden_size;
  const auto expected = reference::rms_norm(spec, row_of(launch.x, token, head, hidden),
                                            row_of(launch.residual, token, head, hidden),
                                            row_of(launch.weight, 0, 0, hidden), launch.test.epsilon);
  for (std::size_t i = 0; i < expected.y.size(); ++i) {
    const double y = outputs.y.at(launch.y->layout.row(token, head) + i);
    if (!within(y, expected.y[i])) {
      return fmt::format("y[{}, {}, {}] is {}, expected {} to {}", token, head, i, y, expected.y[i].low,
                         expected.y[i].high);
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

/// All rows are compared, or of very many one in several: the step is odd, so it meets every place in a
/// block.
Index step_between_compared(Index units) {
  constexpr Index kMostRows = 1024;
  return units <= kMostRows ? 1 : units / kMostRows * 16 + 1;
}

std::string compare(const Launch& launch) {
  const RmsNormCase& test = launch.test;
  Outputs outputs{launch.y->now(), std::nullopt, std::nullopt};
  if (std::string wrong = changed_padding(test, *launch.y, outputs.y, "y"); !wrong.empty()) return wrong;
  if (launch.sum) {
    outputs.sum = launch.sum->now();
    std::string wrong = changed_padding(test, *launch.sum, *outputs.sum, "residual_out");
    if (!wrong.empty()) return wrong;
  }
  if (launch.rstd) outputs.rstd = launch.rstd->now();
  const Index units = test.rows * test.spec.heads;
  for (Index unit = units - 1; unit >= 0; unit -= step_between_compared(units)) {
    std::string wrong = compare_row(launch, outputs, unit / test.spec.heads, unit % test.spec.heads);
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
  if (auto queued = kernel->launch(launch.args(), {}); !queued) {
    wrong = queued.error().text();
  } else if (auto done = runtime.synchronize({}); !done) {
    wrong = done.error().text();
  } else {
    wrong = compare(launch);
  }
  report_kernel(test.spec, runtime.target(), wrong.empty());
  return wrong.empty() ? wrong : fmt::format("{}: {}", codegen::canonical_text(kernel->spec()), wrong);
}

}  // namespace lathe::tests
