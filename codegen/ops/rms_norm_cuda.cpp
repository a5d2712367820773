// How rms_norm is rendered for NVIDIA GPUs: which of the template's four shapes of work a row gets.
#include <algorithm>
#include <bit>
#include <cstddef>

#include <fmt/format.h>

#include "codegen/cuda_arch.h"
#include "codegen/ops/rms_norm.h"
#include "codegen/ops/rms_norm_parameters.h"
#include "codegen/ops/rms_norm_spec.h"

namespace lathe::codegen {

namespace {

/// Registers hold at most this many values of a row per thread, so that 1024 threads do not spill.
constexpr std::int64_t kMaxValuesPerThread = 32;
/// Two 16-byte packs of 16-bit elements per thread: enough loads under way to hide the memory's latency.
constexpr std::int64_t kValuesPerThread = 16;
constexpr std::int64_t kMaxThreads = 1024;
/// Blocks of short rows: several per multiprocessor, so that one's loads overlap another's stores.
constexpr std::int64_t kShortRowThreads = 128;

constexpr unsigned kScaleThreads = 256;  // as in the template

struct Shape {
  std::int64_t pack = 1;
  std::int64_t threads_per_row = 32;
  std::int64_t rows_per_block = 1;
  std::int64_t cluster = 1;
  bool in_registers = true;
};

std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}
std::int64_t next_power_of_two(std::int64_t n) {
  return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(n)));
}

/// No wider than the widest tensor allows: where a lane's elements take two accesses, each of them touches
/// the sectors of both.
std::int64_t pack_of_tensors(const RmsNormSpec& spec) {
  const std::size_t widest =
      std::max({size_of(spec.dtype), size_of(*spec.weight_dtype), size_of(*spec.y_dtype)});
  return std::min(pack_of(spec), static_cast<std::int64_t>(16 / widest));
}

Shape shape_of(const RmsNormSpec& spec, std::int64_t max_cluster) {
  Shape shape{.pack = pack_of_tensors(spec)};
  const std::int64_t packs = spec.hidden_size / shape.pack;
  // A warp or less, as long as its lanes can hold the row.
  if (spec.hidden_size <= 32 * kMaxValuesPerThread) {
    shape.threads_per_row = std::min<std::int64_t>(32, next_power_of_two(packs));
    shape.rows_per_block = kShortRowThreads / shape.threads_per_row;
    return shape;
  }
  // A block, then as many blocks as it takes.
  const auto threads_for = [](std::int64_t elements) {
    return std::clamp(next_power_of_two(divide_up(elements, kValuesPerThread)), std::int64_t{32},
                      kMaxThreads);
  };
  shape.threads_per_row = threads_for(spec.hidden_size);
  while (shape.cluster < max_cluster &&
         divide_up(spec.hidden_size, shape.cluster) > kMaxThreads * kValuesPerThread) {
    shape.cluster *= 2;
  }
  // A row that one block can just hold is not worth a cluster's two barriers.
  if (spec.hidden_size <= kMaxThreads * kMaxValuesPerThread) shape.cluster = 1;
  const std::int64_t values = divide_up(divide_up(packs, shape.cluster), shape.threads_per_row) * shape.pack;
  shape.in_registers = values <= kMaxValuesPerThread;
  if (!shape.in_registers) shape.cluster = 1;
  return shape;
}

}  // namespace

Result<RenderPlan> plan_rms_norm_cuda(const RmsNormSpec& spec, const Target& target) {
  const CudaArch* arch = find_cuda_arch(target.arch);
  if (arch == nullptr) {
    return Error{
        .code = ErrorCode::unsupported,
        .stage = Stage::render,
        .message = fmt::format("rms_norm: {} is not an architecture that Lathe knows", target.text()),
        .hint = fmt::format("known architectures are {}", cuda_arch_names())};
  }
  const Shape shape = shape_of(spec, arch->max_cluster);
  const bool has_scale_pass = spec.y_scale == OutputScale::per_tensor;
  const LaunchFacts rows{.block = {static_cast<unsigned>(shape.threads_per_row * shape.rows_per_block)},
                         .cluster = {static_cast<unsigned>(shape.cluster)},
                         .work_per_block = shape.rows_per_block};
  RenderPlan plan{.template_name = has_scale_pass ? "cuda/rms_norm_per_tensor.cu" : "cuda/rms_norm.cu",
                  .parameters = common_rms_norm_parameters(spec),
                  .entries = {}};
  if (has_scale_pass) {
    plan.entries.push_back({"lathe_rms_norm_amax", rows});
    plan.entries.push_back({"lathe_rms_norm_scale", {.block = {kScaleThreads}}});
  }
  plan.entries.push_back({"lathe_rms_norm", rows});
  plan.parameters.emplace_back("kPack", fmt::to_string(shape.pack));
  plan.parameters.emplace_back("kThreadsPerRow", fmt::to_string(shape.threads_per_row));
  plan.parameters.emplace_back("kRowsPerBlock", fmt::to_string(shape.rows_per_block));
  plan.parameters.emplace_back("kClusterBlocks", fmt::to_string(shape.cluster));
  plan.parameters.emplace_back("kInRegisters", shape.in_registers ? "true" : "false");
  return plan;
}

}  // namespace lathe::codegen
