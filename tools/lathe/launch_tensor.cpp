#include "tools/lathe/launch_tensor.h"

#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "runtime/base/try.h"

namespace lathe::tools {

namespace {

constexpr std::byte kPoison{0xFF};

/// Calls `visit(packed, strided, count)` for each run of contiguous elements.
void for_each_run(const LaunchTensor& tensor,
                  const std::function<void(std::int64_t, std::int64_t, std::int64_t)>& visit) {
  const std::int64_t inner = tensor.shape.empty() ? 1 : tensor.shape.back();
  std::int64_t total = 1;
  for (const std::int64_t extent : tensor.shape) total *= extent;
  if (total == 0) return;
  const std::size_t outer_rank = tensor.shape.empty() ? 0 : tensor.shape.size() - 1;
  std::vector<std::int64_t> index(outer_rank, 0);
  for (std::int64_t packed = 0; packed < total; packed += inner) {
    std::int64_t strided = 0;
    for (std::size_t i = 0; i < outer_rank; ++i) strided += index[i] * tensor.strides[i];
    visit(packed, strided, inner);
    for (std::size_t i = outer_rank; i-- > 0;) {
      if (++index[i] < tensor.shape[i]) break;
      index[i] = 0;
    }
  }
}

}  // namespace

std::int64_t LaunchTensor::element_count() const {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return count;
}

std::int64_t LaunchTensor::span_elements() const {
  std::int64_t last = 0;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) return 0;
    last += (shape[i] - 1) * strides[i];
  }
  return last + 1;
}

Result<void> LaunchTensor::upload(Runtime& runtime) {
  const std::size_t width = size_of(argument.dtype);
  std::vector<std::byte> image(static_cast<std::size_t>(span_elements()) * width, kPoison);
  if (!elements.empty()) {
    for_each_run(*this, [&](std::int64_t packed, std::int64_t strided, std::int64_t count) {
      std::memcpy(image.data() + static_cast<std::size_t>(strided) * width,
                  elements.data() + static_cast<std::size_t>(packed) * width,
                  static_cast<std::size_t>(count) * width);
    });
  }
  LATHE_TRY(buffer, runtime.allocate(image.size()));
  return runtime.copy_to_device(buffer.data(), image.data(), image.size(), Stream{});
}

Result<std::vector<std::byte>> LaunchTensor::download(Runtime& runtime) const {
  const std::size_t width = size_of(argument.dtype);
  std::vector<std::byte> image(static_cast<std::size_t>(span_elements()) * width);
  LATHE_CHECK(runtime.copy_to_host(image.data(), buffer.data(), image.size(), Stream{}));
  std::vector<std::byte> packed_elements(static_cast<std::size_t>(element_count()) * width);
  for_each_run(*this, [&](std::int64_t packed, std::int64_t strided, std::int64_t count) {
    std::memcpy(packed_elements.data() + static_cast<std::size_t>(packed) * width,
                image.data() + static_cast<std::size_t>(strided) * width,
                static_cast<std::size_t>(count) * width);
  });
  return packed_elements;
}

std::vector<std::int64_t> strides_of(const LaunchTensor& tensor, std::span<const codegen::Argument> arguments,
                                     std::span<const std::byte> args) {
  std::vector<std::int64_t> strides(tensor.shape.size(), 1);
  for (std::size_t i = strides.size(); i-- > 1;) strides[i - 1] = strides[i] * tensor.shape[i];
  const std::string prefix = std::string(tensor.argument.name) + "_";
  std::size_t next = 0;
  for (const codegen::Argument& scalar : arguments) {
    if (scalar.kind != codegen::ArgumentKind::scalar || !scalar.name.starts_with(prefix)) continue;
    const std::string_view rest = scalar.name.substr(prefix.size());
    if (rest.find('_') != rest.rfind('_') || !rest.ends_with("_stride") || next + 1 >= strides.size())
      continue;
    Index stride = 0;
    std::memcpy(&stride, args.data() + scalar.offset, sizeof stride);
    if (stride != 0) strides[next] = stride;
    ++next;
  }
  return strides;
}

}  // namespace lathe::tools
