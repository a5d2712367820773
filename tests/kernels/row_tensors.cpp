#include "tests/kernels/row_tensors.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include <fmt/format.h>

namespace lathe::tests {

namespace {

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

}  // namespace

Layout layout_of(const Placement& placement, Index number) {
  constexpr Index kStep = 16;  // keeps every alignment
  const bool is_padded = placement.row_padding != 0 || placement.head_padding != 0;
  const Index row_padding = is_padded ? placement.row_padding + number * kStep : 0;
  const Index head_padding = is_padded && placement.heads > 1 ? placement.head_padding + number * kStep : 0;
  Layout layout{};
  if (placement.heads_outside) {
    layout.row_stride = placement.hidden + row_padding;
    layout.head_stride = layout.row_stride * std::max<Index>(placement.rows, 1) + head_padding;
  } else {
    layout.head_stride = placement.hidden + head_padding;
    layout.row_stride = layout.head_stride * placement.heads + row_padding;
  }
  layout.span = static_cast<std::size_t>(std::max<Index>(0, placement.rows - 1) * layout.row_stride +
                                         (placement.heads - 1) * layout.head_stride + placement.hidden);
  return layout;
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

SharedTensor random_rows(Runtime& runtime, const Placement& placement, Index number, Values values,
                         DType dtype, std::mt19937& random) {
  const Layout layout = layout_of(placement, number);
  HostTensor tensor = random_tensor(values, dtype, layout.span, random);
  if (values == Values::not_finite && number == 0) {
    const auto middle = static_cast<std::size_t>(placement.hidden / 2);
    tensor.set(layout.row(0, 0) + middle, std::nan(""));
    tensor.set(layout.row(placement.rows - 1, 0) + middle, -std::numeric_limits<double>::infinity());
  }
  return std::make_shared<DeviceTensor>(runtime, placement, std::move(tensor), layout);
}

SharedTensor poisoned_rows(Runtime& runtime, const Placement& placement, Index number, DType dtype) {
  const Layout layout = layout_of(placement, number);
  return std::make_shared<DeviceTensor>(runtime, placement, HostTensor::poisoned(dtype, layout.span), layout);
}

std::vector<double> elements_of(const SharedTensor& tensor, std::size_t begin, Index count) {
  std::vector<double> values;
  if (!tensor) return values;
  for (Index i = 0; i < count; ++i) values.push_back(tensor->before.at(begin + static_cast<std::size_t>(i)));
  return values;
}

std::vector<double> row_of(const SharedTensor& tensor, Index token, Index head, Index count) {
  return tensor ? elements_of(tensor, tensor->layout.row(token, head), count) : std::vector<double>{};
}

std::string changed_padding(const Placement& placement, const DeviceTensor& rows, const HostTensor& after,
                            const char* name) {
  std::vector<bool> covered(after.count(), false);
  for (Index token = 0; token < placement.rows; ++token) {
    for (Index head = 0; head < placement.heads; ++head) {
      const auto begin = covered.begin() + static_cast<std::ptrdiff_t>(rows.layout.row(token, head));
      std::fill(begin, begin + placement.hidden, true);
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

bool within(double value, reference::Bounds bounds) {
  if (std::isnan(bounds.low) || std::isnan(bounds.high)) return std::isnan(value);
  return value >= bounds.low && value <= bounds.high;
}

}  // namespace lathe::tests
