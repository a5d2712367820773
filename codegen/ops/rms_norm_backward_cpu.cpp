// How rms_norm_backward is rendered for the CPU.
#include <algorithm>

#include <fmt/format.h>

#include "codegen/ops/rms_norm_backward.h"
#include "codegen/ops/rms_norm_parameters.h"

namespace lathe::codegen {

namespace {

/// Elements of a strip at least, so that writing and reading its partial dw costs little beside them.
constexpr std::int64_t kElementsPerStrip = 64 * 1024;
/// Columns of one block of the second entry.
constexpr std::int64_t kColumns = 256;

}  // namespace

Result<RenderPlan> plan_rms_norm_backward_cpu(const RmsNormBackwardSpec& spec, const Target&) {
  const std::int64_t rows = std::max<std::int64_t>(16, kElementsPerStrip / spec.hidden_size);
  RenderPlan plan{.template_name = "cpu/rms_norm_backward.cpp",
                  .parameters = common_backward_parameters(spec),
                  .entries = {{"lathe_rms_norm_backward", {.work_per_block = rows}}}};
  if (spec.store_dw) plan.entries.push_back({"lathe_rms_norm_backward_dw", {.work_per_block = kColumns}});
  plan.parameters.emplace_back("kPartialStride", fmt::to_string(partial_stride_on_cpu(spec)));
  plan.parameters.emplace_back("kColumnsPerBlock", fmt::to_string(kColumns));
  return plan;
}

}  // namespace lathe::codegen
