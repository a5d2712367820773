#include "tools/lathe/norm_workload.h"

#include <algorithm>

#include "runtime/base/try.h"
#include "tools/lathe/random_tensors.h"

namespace lathe::tools {

Result<NormWorkload> NormWorkload::make(Runtime& runtime, const RmsNormSpec& spec, std::int64_t rows,
                                        double epsilon) {
  NormWorkload work;
  work.spec_ = spec;
  work.rows_ = rows;
  const auto count = static_cast<std::size_t>(rows * spec.heads * spec.hidden_size);
  const std::size_t bytes = count * size_of(spec.dtype);
  work.x_ = random_elements(spec.dtype, count, 1);
  LATHE_TRY(work.device_x_, upload(runtime, work.x_));
  LATHE_TRY(work.device_y_, runtime.allocate(bytes));
  if (spec.has_weight) {
    work.weight_ = random_elements(spec.weight_dtype.value_or(spec.dtype),
                                   static_cast<std::size_t>(spec.hidden_size), 2);
    LATHE_TRY(work.device_weight_, upload(runtime, work.weight_));
  }
  if (spec.residual != Residual::none) {
    work.residual_ = random_elements(spec.dtype, count, 3);
    LATHE_TRY(work.device_residual_, upload(runtime, work.residual_));
    LATHE_TRY(work.device_sum_, runtime.allocate(bytes));
  }
  work.args_ = {.x = work.device_x_.data(),
                .weight = work.device_weight_.data(),
                .y = work.device_y_.data(),
                .residual_in = work.device_residual_.data(),
                .residual_out = work.device_sum_.data(),
                .rows = rows,
                .epsilon = static_cast<float>(epsilon)};
  return work;
}

Result<void> NormWorkload::launch(const Kernel& kernel) const {
  return kernel.launch_bytes(&args_, sizeof args_, Stream{});
}

Result<RmsNormCheck> NormWorkload::check(Runtime& runtime) const {
  std::vector<std::byte> y(x_.size());
  LATHE_CHECK(runtime.copy_to_host(y.data(), device_y_.data(), y.size(), Stream{}));
  return check_rms_norm(spec_, rows_,
                        {.x = x_,
                         .weight = weight_,
                         .residual_in = residual_,
                         .y = y,
                         .epsilon = static_cast<double>(args_.epsilon)});
}

std::size_t NormWorkload::traffic_bytes() const {
  const std::size_t tensors = spec_.residual == Residual::none ? 2 : 4;
  return tensors * x_.size() + weight_.size();
}

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace lathe::tools
