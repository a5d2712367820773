#include "tests/kernels/rms_norm_case.h"

#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include <fmt/format.h>

#include "codegen/canonical.h"
#include "tests/reference/rms_norm.h"
#include "tests/reference/rounding.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/kernel_report.h"

namespace lathe::tests {

namespace {

using reference::Bounds;

/// Values of a dtype, held as doubles and as the bytes that the device sees.
class HostTensor {
 public:
  HostTensor(DType dtype, std::size_t count) : dtype_(dtype), bytes_(count * size_of(dtype)) {}

  std::size_t count() const { return bytes_.size() / size_of(dtype_); }
  std::size_t element_bytes() const { return size_of(dtype_); }
  std::vector<std::byte>& bytes() { return bytes_; }

  double at(std::size_t index) const {
    if (dtype_ == f32) {
      float value;
      std::memcpy(&value, bytes_.data() + index * 4, 4);
      return value;
    }
    std::uint16_t bits;
    std::memcpy(&bits, bytes_.data() + index * 2, 2);
    return reference::value_of(dtype_, bits);
  }
  void set(std::size_t index, double value) {
    if (dtype_ == f32) {
      const auto narrow = static_cast<float>(value);
      std::memcpy(bytes_.data() + index * 4, &narrow, 4);
    } else {
      const std::uint16_t bits = reference::bits_of(dtype_, value);
      std::memcpy(bytes_.data() + index * 2, &bits, 2);
    }
  }

 private:
  DType dtype_;
  std::vector<std::byte> bytes_;
};

/// Where a row begins, in elements, and how many elements the whole tensor spans.
struct Layout {
  Index row_stride;
  Index head_stride;
  std::size_t span;

  std::size_t row(Index token, Index head) const {
    return static_cast<std::size_t>(token * row_stride + head * head_stride);
  }
};

Layout layout_of(const RmsNormCase& test) {
  const RmsNormSpec& spec = test.spec;
  Layout layout{};
  if (test.heads_outside) {
    layout.row_stride = spec.hidden_size + test.row_padding;
    layout.head_stride = layout.row_stride * std::max<Index>(test.rows, 1) + test.head_padding;
  } else {
    layout.head_stride = spec.hidden_size + test.head_padding;
    layout.row_stride = layout.head_stride * spec.heads + test.row_padding;
  }
  layout.span = static_cast<std::size_t>(std::max<Index>(0, test.rows - 1) * layout.row_stride +
                                         (spec.heads - 1) * layout.head_stride + spec.hidden_size);
  return layout;
}

double random_value(const RmsNormCase& test, std::mt19937& random) {
  std::normal_distribution<double> normal;
  const double value = normal(random);
  switch (test.values) {
    case Values::ordinary:
      return value;
    case Values::large:
      // Squares that a float holds, though f16 itself would overflow.
      return value * (test.spec.dtype == f16 ? 8000.0 : 1e17);
    case Values::tiny:
      return value * (test.spec.dtype == f16 ? 1e-7 : 1e-39);
    case Values::zero:
      return 0;
  }
  return value;
}

HostTensor random_tensor(const RmsNormCase& test, DType dtype, std::size_t count, std::mt19937& random) {
  HostTensor tensor(dtype, count);
  for (std::size_t i = 0; i < count; ++i) tensor.set(i, random_value(test, random));
  return tensor;
}

/// NaN everywhere: what a kernel does not write stays visible.
HostTensor poisoned(DType dtype, std::size_t count) {
  HostTensor tensor(dtype, count);
  std::memset(tensor.bytes().data(), 0xFF, tensor.bytes().size());
  return tensor;
}

bool within(double value, Bounds bounds) {
  if (std::isnan(bounds.low) || std::isnan(bounds.high)) return std::isnan(value);
  return value >= bounds.low && value <= bounds.high;
}

/// The tensors of one launch, on the host as they were, and on the device.
struct Launch {
  Launch(Runtime& runtime, const RmsNormCase& given)
      : test(given),
        layout(layout_of(given)),
        random(given.seed),
        x(random_tensor(given, given.spec.dtype, layout.span, random)) {
    const RmsNormSpec& spec = test.spec;
    const std::size_t offset = static_cast<std::size_t>(test.offset_elements) * size_of(spec.dtype);
    const auto upload = [&](HostTensor& host, std::size_t at) {
      auto buffer = std::make_unique<GuardedBuffer>(runtime, host.bytes().size(), at);
      buffer->upload(host.bytes().data());
      return buffer;
    };
    x_device = upload(x, offset);
    y_before = test.in_place ? x : poisoned(spec.dtype, layout.span);
    y_device = test.in_place ? nullptr : upload(*y_before, offset);
    if (spec.residual != Residual::none) {
      residual = random_tensor(test, spec.dtype, layout.span, random);
      residual_device = upload(*residual, offset);
      sum_before = test.in_place ? *residual : poisoned(spec.dtype, layout.span);
      sum_device = test.in_place ? nullptr : upload(*sum_before, offset);
    }
    if (spec.has_weight) {
      RmsNormCase ordinary = test;
      ordinary.values = Values::ordinary;
      weight = random_tensor(ordinary, spec.weight_dtype.value_or(spec.dtype),
                             static_cast<std::size_t>(spec.hidden_size), random);
      weight_device =
          upload(*weight, static_cast<std::size_t>(test.offset_elements) * weight->element_bytes());
    }
    if (spec.store_rstd) {
      rstd_before = poisoned(f32, static_cast<std::size_t>(test.rows * spec.heads));
      rstd_device = upload(*rstd_before, 0);
    }
  }

  RmsNormArgs args() const {
    const auto at = [](const auto& buffer) { return buffer ? buffer->data() : nullptr; };
    return {.x = x_device->data(),
            .weight = at(weight_device),
            .y = test.in_place ? x_device->data() : at(y_device),
            .residual_in = at(residual_device),
            .residual_out = test.in_place ? at(residual_device) : at(sum_device),
            .rstd = static_cast<float*>(at(rstd_device)),
            .rows = test.rows,
            .x_row_stride = layout.row_stride,
            .y_row_stride = layout.row_stride,
            .residual_in_row_stride = layout.row_stride,
            .residual_out_row_stride = layout.row_stride,
            .x_head_stride = layout.head_stride,
            .y_head_stride = layout.head_stride,
            .residual_in_head_stride = layout.head_stride,
            .residual_out_head_stride = layout.head_stride,
            .epsilon = test.epsilon};
  }

  const RmsNormCase& test;
  Layout layout;
  std::mt19937 random;
  HostTensor x;
  std::optional<HostTensor> y_before, residual, sum_before, weight, rstd_before;
  std::unique_ptr<GuardedBuffer> x_device, y_device, residual_device, sum_device, weight_device, rstd_device;
};

std::vector<double> slice(const std::optional<HostTensor>& tensor, std::size_t begin, Index count) {
  std::vector<double> values;
  if (!tensor) return values;
  for (Index i = 0; i < count; ++i) values.push_back(tensor->at(begin + static_cast<std::size_t>(i)));
  return values;
}

/// What a buffer holds now.
std::optional<HostTensor> downloaded(const std::unique_ptr<GuardedBuffer>& buffer,
                                     const std::optional<HostTensor>& like) {
  if (!buffer) return std::nullopt;
  HostTensor tensor = *like;
  tensor.bytes() = buffer->download();
  return tensor;
}

/// Padding must be as it was: compares the bytes of all elements that no row covers.
std::string changed_padding(const Launch& launch, HostTensor& before, HostTensor& after, const char* name) {
  std::vector<bool> covered(before.count(), false);
  for (Index token = 0; token < launch.test.rows; ++token) {
    for (Index head = 0; head < launch.test.spec.heads; ++head) {
      const std::size_t begin = launch.layout.row(token, head);
      for (Index i = 0; i < launch.test.spec.hidden_size; ++i)
        covered[begin + static_cast<std::size_t>(i)] = true;
    }
  }
  const std::size_t size = before.element_bytes();
  for (std::size_t i = 0; i < covered.size(); ++i) {
    if (!covered[i] &&
        std::memcmp(before.bytes().data() + i * size, after.bytes().data() + i * size, size) != 0) {
      return fmt::format("{}: element {} between the rows was written", name, i);
    }
  }
  return {};
}

std::string compare_row(const Launch& launch, Index token, Index head, const HostTensor& y,
                        const std::optional<HostTensor>& sum, const std::optional<HostTensor>& rstd) {
  const RmsNormSpec& spec = launch.test.spec;
  const std::size_t begin = launch.layout.row(token, head);
  const auto expected = reference::rms_norm(spec, slice(launch.x, begin, spec.hidden_size),
                                            slice(launch.residual, begin, spec.hidden_size),
                                            slice(launch.weight, 0, spec.hidden_size), launch.test.epsilon);
  for (std::size_t i = 0; i < expected.y.size(); ++i) {
    if (!within(y.at(begin + i), expected.y[i])) {
      return fmt::format("y[{}, {}, {}] is {}, expected {} to {}", token, head, i, y.at(begin + i),
                         expected.y[i].low, expected.y[i].high);
    }
    if (sum && !within(sum->at(begin + i), {expected.residual_out[i], expected.residual_out[i]})) {
      return fmt::format("residual_out[{}, {}, {}] is {}, expected {}", token, head, i, sum->at(begin + i),
                         expected.residual_out[i]);
    }
  }
  const auto unit = static_cast<std::size_t>(token * spec.heads + head);
  if (rstd && !within(rstd->at(unit), expected.rstd)) {
    return fmt::format("rstd[{}, {}] is {}, expected {} to {}", token, head, rstd->at(unit),
                       expected.rstd.low, expected.rstd.high);
  }
  return {};
}

std::string compare(const Launch& launch) {
  auto y = downloaded(launch.test.in_place ? launch.x_device : launch.y_device, launch.y_before);
  auto sum = downloaded(launch.test.in_place ? launch.residual_device : launch.sum_device, launch.sum_before);
  const auto rstd = downloaded(launch.rstd_device, launch.rstd_before);
  HostTensor before = *launch.y_before;
  if (std::string wrong = changed_padding(launch, before, *y, "y"); !wrong.empty()) return wrong;
  if (sum) {
    before = *launch.sum_before;
    if (std::string wrong = changed_padding(launch, before, *sum, "residual_out"); !wrong.empty())
      return wrong;
  }
  for (Index token = 0; token < launch.test.rows; ++token) {
    for (Index head = 0; head < launch.test.spec.heads; ++head) {
      if (std::string wrong = compare_row(launch, token, head, *y, sum, rstd); !wrong.empty()) return wrong;
    }
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
