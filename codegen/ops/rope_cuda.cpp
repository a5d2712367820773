// How rope is rendered for NVIDIA GPUs: which lanes share a row, and which rows share a token.
#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "codegen/cuda_arch.h"
#include "codegen/ops/rope.h"
#include "codegen/ops/rope_frequencies.h"
#include "codegen/ops/rope_parameters.h"
#include "codegen/ops/rope_tensors.h"

namespace lathe::codegen {

namespace {

constexpr std::int64_t kThreads = 128;
/// So many heads use the sines and cosines that a thread has.
constexpr std::int64_t kHeadsPerThread = 8;

struct Shape {
  std::int64_t pack = 1;        ///< elements per access
  std::int64_t group = 1;       ///< lanes that share a row
  std::int64_t head_lanes = 1;  ///< groups that share a token
  std::int64_t pairs = 1;       ///< of a slot: what a lane rotates at a time
  std::int64_t pair_slots = 1;
};

std::int64_t next_power_of_two(std::int64_t n) {
  return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(n)));
}

Shape shape_of(const RopeSpec& spec) {
  Shape shape{.pack = rope_pack(spec)};
  const bool is_half = spec.pairs == RopePairs::half;
  shape.pairs = is_half ? shape.pack : std::max<std::int64_t>(1, shape.pack / 2);
  shape.pair_slots = spec.rotary_dim / 2 / shape.pairs;
  std::int64_t slots = shape.pair_slots;
  if (spec.qk_norm) slots += (spec.head_dim - spec.rotary_dim) / shape.pack;
  shape.group = std::min<std::int64_t>(32, next_power_of_two(slots));
  const std::int64_t heads = spec.heads + spec.kv_heads;
  const std::int64_t lanes = std::max<std::int64_t>(1, heads / kHeadsPerThread);
  // Within one warp, so that the groups can exchange what each has computed.
  shape.head_lanes = std::min(32 / shape.group,
                              static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(lanes))));
  return shape;
}

/// Neighbouring lanes have neighbouring slots: the first pairs of all slots, then the second ones.
std::vector<std::uint64_t> by_lanes(const std::vector<std::uint64_t>& turns, const Shape& shape) {
  std::vector<std::uint64_t> ordered;
  for (std::int64_t pair = 0; pair < shape.pairs; ++pair) {
    for (std::int64_t slot = 0; slot < shape.pair_slots; ++slot)
      ordered.push_back(turns[static_cast<std::size_t>(slot * shape.pairs + pair)]);
  }
  return ordered;
}

}  // namespace

Result<RenderPlan> plan_rope_cuda(const RopeSpec& spec, const Target& target) {
  if (find_cuda_arch(target.arch) == nullptr) {
    return Error{.code = ErrorCode::unsupported,
                 .stage = Stage::render,
                 .message = fmt::format("rope: {} is not an architecture that Lathe knows", target.text()),
                 .hint = fmt::format("known architectures are {}", cuda_arch_names())};
  }
  const Shape shape = shape_of(spec);
  RenderPlan plan{.template_name = "cuda/rope.cu",
                  .parameters = common_rope_parameters(spec),
                  .entries = {{.name = "lathe_rope",
                               .launch = {.block = {static_cast<unsigned>(kThreads)},
                                          .work_per_block = kThreads / (shape.group * shape.head_lanes)}}}};
  const std::vector<std::uint64_t> turns =
      spec.table_dtype ? std::vector<std::uint64_t>{0}
                       : by_lanes(turns_per_position(spec.frequencies, spec.rotary_dim), shape);
  plan.parameters.emplace_back("kTurns", array_literal(turns));
  plan.parameters.emplace_back("kPack", fmt::to_string(shape.pack));
  plan.parameters.emplace_back("kGroup", fmt::to_string(shape.group));
  plan.parameters.emplace_back("kHeadLanes", fmt::to_string(shape.head_lanes));
  plan.parameters.emplace_back("kThreads", fmt::to_string(kThreads));
  return plan;
}

}  // namespace lathe::codegen
