// How rope is rendered for the CPU.
#include <algorithm>

#include <fmt/format.h>

#include "codegen/ops/rope.h"
#include "codegen/ops/rope_frequencies.h"
#include "codegen/ops/rope_parameters.h"

namespace lathe::codegen {

namespace {

/// Work per block: enough that handing it to a thread costs nothing, little enough that two threads end
/// together.
constexpr std::int64_t kBytesPerBlock = 64 * 1024;
/// The widest vector of any target, in floats.
constexpr std::size_t kWidestVector = 32;

}  // namespace

Result<RenderPlan> plan_rope_cpu(const RopeSpec& spec, const Target&) {
  const std::int64_t elements = spec.heads * (spec.head_dim + spec.q_nope_dim) +
                                spec.kv_heads * (spec.head_dim + spec.k_nope_dim + spec.v_dim);
  const std::int64_t token_bytes = elements * static_cast<std::int64_t>(size_of(spec.dtype));
  const std::int64_t tokens = std::clamp<std::int64_t>(kBytesPerBlock / token_bytes, 1, 1024);
  RenderPlan plan{.template_name = "cpu/rope.cpp",
                  .parameters = common_rope_parameters(spec),
                  .entries = {{.name = "lathe_rope", .launch = {.work_per_block = tokens}}}};
  std::vector<std::uint64_t> turns;
  if (!spec.table_dtype) turns = turns_per_position(spec.frequencies, spec.rotary_dim);
  const auto pairs = static_cast<std::size_t>(spec.rotary_dim / 2);
  turns.resize((pairs + kWidestVector - 1) / kWidestVector * kWidestVector);
  plan.parameters.emplace_back("kTurns", array_literal(turns));
  plan.parameters.emplace_back("kTokensPerBlock", fmt::to_string(tokens));
  return plan;
}

}  // namespace lathe::codegen
