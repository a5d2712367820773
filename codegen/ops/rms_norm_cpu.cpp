// How rms_norm is rendered for the CPU.
#include <algorithm>

#include <fmt/format.h>

#include "codegen/ops/rms_norm.h"
#include "codegen/ops/rms_norm_parameters.h"

namespace lathe::codegen {

namespace {

/// Work per block: enough that handing it to a thread costs nothing, little enough that two threads end
/// together.
constexpr std::int64_t kBytesPerBlock = 64 * 1024;

}  // namespace

Result<RenderPlan> plan_rms_norm_cpu(const RmsNormSpec& spec, const Target&) {
  const auto row_bytes = spec.hidden_size * static_cast<std::int64_t>(size_of(spec.dtype));
  const std::int64_t rows = std::clamp<std::int64_t>(kBytesPerBlock / row_bytes, 1, 4096);
  const bool has_scale_pass = spec.y_scale == OutputScale::per_tensor;
  RenderPlan plan{.template_name = has_scale_pass ? "cpu/rms_norm_per_tensor.cpp" : "cpu/rms_norm.cpp",
                  .parameters = common_rms_norm_parameters(spec),
                  .entries = {}};
  if (has_scale_pass) {
    plan.entries.push_back({"lathe_rms_norm_amax", {.work_per_block = rows}});
    plan.entries.push_back({"lathe_rms_norm_scale", {}});
  }
  plan.entries.push_back({"lathe_rms_norm", {.work_per_block = rows}});
  plan.parameters.emplace_back("kRowsPerBlock", fmt::to_string(rows));
  return plan;
}

}  // namespace lathe::codegen
