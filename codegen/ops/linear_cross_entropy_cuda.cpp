// How linear_cross_entropy is rendered for NVIDIA GPUs, and its grids there.
#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "codegen/cuda_arch.h"
#include "codegen/ops/linear_cross_entropy.h"
#include "codegen/ops/linear_cross_entropy_steps.h"
#include "codegen/ops/rms_norm_parameters.h"

namespace lathe::codegen {

namespace {

using Mode = LinearCrossEntropyMode;
using Step = LinearCrossEntropyStep;

/// As cuda/cross_entropy_logits.cuh cuts products, whose tiles are as many rows as columns.
constexpr Index kTile = 128;
constexpr Index kDepth = 32;
constexpr unsigned kProductThreads = 256;
constexpr Index kStages = 4;
constexpr Index kSharedBytes = kStages * 2 * kTile * kDepth * 2;
constexpr int kBlocksPerProcessor = 2;
/// As the constants of the same names in cuda/cross_entropy_*.cuh.
constexpr unsigned kRowsThreads = 1024;
constexpr unsigned kReduceThreads = 1024;
constexpr unsigned kFinishThreads = 256;
constexpr Index kFinishRows = 32;
constexpr unsigned kGradientThreads = 256;
constexpr Index kGradientRows = 16;
constexpr Index kGradientTiles = 8;
constexpr unsigned kBiasThreads = 256;
constexpr Index kBiasColumns = 64;
/// What cuda/gemm_tile.cuh's tile_place() numbers one after the other.
constexpr Index kGroup = 16;
/// Parts cost memory per token, few tokens need many to keep all processors at work.
constexpr Index kMostParts = 64;

Index chunk_tokens(const LinearCrossEntropyArgs& args) {
  return std::min(args.chunk_rows, args.tokens - args.first_row);
}

LaunchFacts facts_of(Step step, Mode mode) {
  switch (step) {
    case Step::rows:
      return {.block = {kRowsThreads}};
    case Step::reduce:
      return {.block = {kReduceThreads}};
    case Step::finish:
      return {.block = {kFinishThreads},
              .work_per_block = mode == Mode::recompute ? kFinishThreads : kFinishRows};
    case Step::gradient:
      return {.block = {kGradientThreads}, .work_per_block = kGradientRows};
    case Step::d_bias:
      return {.block = {kBiasThreads}, .work_per_block = kBiasColumns};
    case Step::logits:
    case Step::d_hidden:
    case Step::d_weight:
      break;
  }
  return {.block = {kProductThreads},
          .dynamic_shared_bytes = static_cast<unsigned>(kSharedBytes),
          .work_per_block = kTile};
}

Error unsupported(std::string message, std::string hint) {
  return {.code = ErrorCode::unsupported,
          .stage = Stage::render,
          .message = "linear_cross_entropy: " + std::move(message),
          .hint = std::move(hint)};
}

Parameters parameters_of(const LinearCrossEntropySpec& spec) {
  Parameters parameters = common_linear_cross_entropy_parameters(spec);
  const auto drop = [&](std::initializer_list<std::string_view> names) {
    std::erase_if(parameters, [&](const auto& parameter) {
      return std::find(names.begin(), names.end(), parameter.first) != names.end();
    });
  };
  const bool has_gradients = spec.mode == Mode::gradient_in_forward || spec.mode == Mode::recompute;
  if (!has_gradients) drop({"DHidden", "DWeight", "kStoreDHidden", "kStoreDWeight", "kAccumulateDWeight"});
  if (spec.mode == Mode::merge) {
    drop({"X", "Bias", "kHiddenSize", "kHasBias", "kHasSoftCap"});
    return parameters;
  }
  if (has_gradients) parameters.emplace_back("kAlignment", fmt::to_string(spec.alignment));
  parameters.emplace_back("kCopyBytes", fmt::to_string(std::clamp<std::int64_t>(spec.alignment, 2, 16)));
  parameters.emplace_back("kStages", fmt::to_string(kStages));
  parameters.emplace_back("kBlocksPerProcessor", fmt::to_string(kBlocksPerProcessor));
  return parameters;
}

std::string_view template_of(Mode mode) {
  switch (mode) {
    case Mode::forward_only:
      return "cuda/linear_cross_entropy_forward.cu";
    case Mode::gradient_in_forward:
      return "cuda/linear_cross_entropy.cu";
    case Mode::recompute:
      return "cuda/linear_cross_entropy_recompute.cu";
    case Mode::merge:
      break;
  }
  return "cuda/linear_cross_entropy_merge.cu";
}

}  // namespace

LinearCrossEntropyTiles tiles_on_gpu(const LinearCrossEntropySpec&) {
  return {.rows = kTile, .classes = kTile};
}

Index forward_parts_on_gpu(const LinearCrossEntropySpec& spec, Index tokens, int processors) {
  const Index row_tiles = std::max<Index>(1, divide_up(tokens, kTile));
  const Index class_tiles = divide_up(spec.vocab_size, kTile);
  const Index slots = Index{kBlocksPerProcessor} * std::max(processors, 1);
  // Blocks that run together are to share classes as well as rows.
  const Index fewest = row_tiles >= kGroup ? std::min(class_tiles, kGroup) : 1;
  const Index most = std::min(class_tiles, std::max(kMostParts, slots / row_tiles));
  Index best = fewest;
  Index least = 0;
  // What a processor does last, in tiles: as many rounds of blocks as there are, each as long as its longest.
  for (Index parts = fewest; parts <= most; ++parts) {
    const Index tiles = divide_up(row_tiles * parts, slots) * divide_up(class_tiles, parts);
    if (parts == fewest || tiles < least) {
      best = parts;
      least = tiles;
    }
  }
  return best;
}

Grid grid_on_gpu(const LinearCrossEntropySpec& spec, Step step, const LinearCrossEntropyArgs& args) {
  const Index tokens = std::max<Index>(0, chunk_tokens(args));
  const Index classes = std::min(args.chunk_classes, spec.vocab_size - args.first_class);
  const Index row_tiles = divide_up(tokens, kTile);
  const Index class_tiles = divide_up(classes, kTile);
  const Index hidden_tiles = divide_up(spec.hidden_size, kTile);
  const auto grid = [](Index blocks) { return Grid{.x = static_cast<std::uint64_t>(blocks)}; };
  switch (step) {
    case Step::rows:
    case Step::reduce:
      return grid(1);
    case Step::logits:
      return grid(row_tiles * (spec.mode == Mode::forward_only ? args.parts : class_tiles));
    case Step::finish:
      return grid(divide_up(tokens, spec.mode == Mode::recompute ? Index{kFinishThreads} : kFinishRows));
    case Step::gradient:
      return grid(divide_up(tokens, kGradientRows) * divide_up(class_tiles, kGradientTiles));
    case Step::d_hidden:
      return grid(row_tiles * hidden_tiles);
    case Step::d_weight:
      return grid(class_tiles * hidden_tiles);
    case Step::d_bias:
      return grid(divide_up(classes, kBiasColumns));
  }
  return {};
}

Result<RenderPlan> plan_linear_cross_entropy_cuda(const LinearCrossEntropySpec& spec, const Target& target) {
  if (find_cuda_arch(target.arch) == nullptr) {
    return unsupported(fmt::format("{} is not an architecture that Lathe knows", target.text()),
                       fmt::format("known architectures are {}", cuda_arch_names()));
  }
  if (spec.mode != Mode::merge && spec.dtype == f32) {
    return unsupported(
        fmt::format("dtype f32 has no kernel for {}: its products run on tensor cores", target.text()),
        "use f16 or bf16, whose products are summed up in fp32, or the CPU");
  }
  RenderPlan plan{
      .template_name = std::string(template_of(spec.mode)), .parameters = parameters_of(spec), .entries = {}};
  for (const Step step : steps_of(spec.mode))
    plan.entries.push_back({entry_name(step), facts_of(step, spec.mode)});
  return plan;
}

}  // namespace lathe::codegen
