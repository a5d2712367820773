// How rms_norm_backward is rendered for NVIDIA GPUs: whether a row is held in registers, by whom, and else by
// columns.
#include <algorithm>
#include <bit>
#include <optional>

#include <fmt/format.h>

#include "codegen/cuda_arch.h"
#include "codegen/ops/rms_norm_backward.h"
#include "codegen/ops/rms_norm_parameters.h"
#include "codegen/ops/rms_norm_spec.h"

namespace lathe::codegen {

namespace {

/// 128 registers each: enough for a row, the next one and dw.
constexpr std::int64_t kThreadsPerProcessor = 512;
constexpr std::int64_t kShortRowThreads = 256;
constexpr std::int64_t kColumnThreads = 256;
constexpr std::int64_t kRowThreads = 512;
constexpr unsigned kSumThreads = 256;  // as kSumColumns * kSumParts of cuda/rms_norm_dw.cuh
constexpr std::int64_t kSumColumns = 32;

struct Shape {
  std::int64_t pack = 1;
  std::int64_t threads_per_row = 32;
  std::int64_t rows_per_block = 1;
  std::int64_t cluster = 1;
  bool prefetch = true;
  bool hold_weight = true;

  std::int64_t threads() const { return threads_per_row * rows_per_block; }
};

std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}
std::int64_t next_power_of_two(std::int64_t n) {
  return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(n)));
}

/// Values of a row per thread. Eight registers each of dy and x, twice where the next row is read ahead;
/// twice as many without that. Single 16-bit elements take a register each.
struct Holding {
  std::int64_t with_prefetch;
  std::int64_t most;
};
Holding holding_of(const RmsNormBackwardSpec& spec, std::int64_t pack) {
  if (spec.dtype == f32) return {8, 16};
  if (pack == 1) return {8, 16};
  return {16, 32};
}

/// Nothing: the row is done by columns.
std::optional<Shape> shape_of(const RmsNormBackwardSpec& spec, std::int64_t max_cluster) {
  Shape shape{.pack = pack_of(spec)};
  const Holding holding = holding_of(spec, shape.pack);
  const std::int64_t packs = spec.hidden_size / shape.pack;
  if (spec.hidden_size <= 32 * holding.with_prefetch) {
    shape.threads_per_row = std::min<std::int64_t>(32, next_power_of_two(packs));
    shape.rows_per_block = kShortRowThreads / shape.threads_per_row;
    return shape;
  }
  shape.threads_per_row = std::clamp<std::int64_t>(
      next_power_of_two(divide_up(spec.hidden_size, holding.with_prefetch)), 64, kThreadsPerProcessor);
  const auto values = [&] {
    return divide_up(divide_up(packs, shape.cluster), shape.threads_per_row) * shape.pack;
  };
  while (values() > holding.most && shape.cluster < max_cluster) shape.cluster *= 2;
  if (values() > holding.most) return std::nullopt;
  shape.prefetch = values() <= holding.with_prefetch;
  // An fp32 weight beside 16-bit rows would take as many registers as dw.
  shape.hold_weight = shape.prefetch || size_of(*spec.weight_dtype) <= size_of(spec.dtype);
  return shape;
}

EntryPoint dw_entry() {
  return {"lathe_rms_norm_backward_dw", {.block = {kSumThreads}, .work_per_block = kSumColumns}};
}

RenderPlan plan_in_registers(const RmsNormBackwardSpec& spec, const Shape& shape) {
  const auto blocks = std::max<std::int64_t>(1, kThreadsPerProcessor / shape.threads());
  RenderPlan plan{.template_name = "cuda/rms_norm_backward.cu",
                  .parameters = common_backward_parameters(spec),
                  .entries = {{"lathe_rms_norm_backward",
                               {.block = {static_cast<unsigned>(shape.threads())},
                                .cluster = {static_cast<unsigned>(shape.cluster)},
                                .work_per_block = shape.rows_per_block}}}};
  if (spec.store_dw) plan.entries.push_back(dw_entry());
  plan.parameters.emplace_back("kPack", fmt::to_string(shape.pack));
  plan.parameters.emplace_back("kThreadsPerRow", fmt::to_string(shape.threads_per_row));
  plan.parameters.emplace_back("kRowsPerBlock", fmt::to_string(shape.rows_per_block));
  plan.parameters.emplace_back("kClusterBlocks", fmt::to_string(shape.cluster));
  plan.parameters.emplace_back("kBlocksPerProcessor", fmt::to_string(blocks));
  plan.parameters.emplace_back("kPrefetch", bool_literal(shape.prefetch));
  plan.parameters.emplace_back("kHoldWeight", bool_literal(shape.hold_weight));
  return plan;
}

RenderPlan plan_by_columns(const RmsNormBackwardSpec& spec) {
  const std::int64_t pack = pack_of(spec);
  RenderPlan plan{.template_name = "cuda/rms_norm_backward_long.cu",
                  .parameters = common_backward_parameters(spec),
                  .entries = {}};
  plan.entries.push_back({"lathe_rms_norm_backward_rows", {.block = {kRowThreads}}});
  plan.entries.push_back(
      {"lathe_rms_norm_backward", {.block = {kColumnThreads}, .work_per_block = kColumnThreads * pack}});
  if (spec.store_dw) plan.entries.push_back(dw_entry());
  plan.parameters.emplace_back("kPack", fmt::to_string(pack));
  plan.parameters.emplace_back("kThreads", fmt::to_string(kColumnThreads));
  plan.parameters.emplace_back("kRowThreads", fmt::to_string(kRowThreads));
  return plan;
}

}  // namespace

Result<RenderPlan> plan_rms_norm_backward_cuda(const RmsNormBackwardSpec& spec, const Target& target) {
  const CudaArch* arch = find_cuda_arch(target.arch);
  if (arch == nullptr) {
    return Error{.code = ErrorCode::unsupported,
                 .stage = Stage::render,
                 .message = fmt::format("rms_norm_backward: {} is not an architecture that Lathe knows",
                                        target.text()),
                 .hint = fmt::format("known architectures are {}", cuda_arch_names())};
  }
  const auto shape = shape_of(spec, arch->max_cluster);
  return shape ? plan_in_registers(spec, *shape) : plan_by_columns(spec);
}

}  // namespace lathe::codegen
