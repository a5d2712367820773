// wgmma: products of matrices by four warps, computed while these go on.
#include <bit>
#include <optional>

#include <fmt/format.h>

#include "runtime/ptx/block.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/matrix_decoding.h"
#include "runtime/ptx/setmaxnreg_instruction.h"
#include "runtime/ptx/warp.h"
#include "runtime/ptx/warpgroup.h"
#include "runtime/ptx/wgmma_decoding.h"
#include "runtime/ptx/wgmma_facts.h"
#include "runtime/ptx/wgmma_product.h"
#include "runtime/ptx/wgmma_state.h"

namespace lathe::runtime::ptx {

namespace {

bool join(Warp& warp, const WarpgroupStep& step) {
  return warp.block().warpgroup(warp.index()).join(warp, step);
}

/// What all lanes agree on; after a fault nullopt.
std::optional<std::uint64_t> uniform_value(Warp& warp, Slot slot, std::string_view what) {
  const LaneMask undefined = warp.block().checks_definedness() ? ~warp.defined(slot) : 0;
  if (undefined != 0) {
    warp.fault(FaultKind::uninitialized, fmt::format("{} depends on it", what),
               static_cast<unsigned>(std::countr_zero(undefined)));
    return std::nullopt;
  }
  const std::uint64_t first = warp.value(slot, 0);
  for (unsigned lane = 1; lane < kLanes; ++lane) {
    if (warp.value(slot, lane) == first) continue;
    warp.fault(FaultKind::divergence,
               fmt::format("{} is {:#x} in lane 0 and another, {:#x}, in this one", what, first,
                           warp.value(slot, lane)),
               lane);
    return std::nullopt;
  }
  return first;
}

/// A descriptor that means something; after a fault false.
bool take_descriptor(Warp& warp, Slot slot, std::string_view matrix, std::uint64_t& descriptor) {
  const auto value = uniform_value(warp, slot, fmt::format("the descriptor of {}", matrix));
  if (!value) return false;
  descriptor = *value;
  if (matrix_descriptor(descriptor)) return true;
  warp.fault(FaultKind::illegal,
             fmt::format("the descriptor of {} is {:#018x}, with bits set that have no meaning", matrix,
                         descriptor));
  return false;
}

/// After a fault false.
bool take_operands(Warp& warp, WgmmaProduct& product) {
  const Step& step = *product.step;
  const auto& facts = static_cast<const WgmmaFacts&>(*step.facts);
  if (facts.registers_of_a == 0 &&
      !take_descriptor(warp, facts.descriptor_of_a(step), "A", product.descriptor_of_a))
    return false;
  if (!take_descriptor(warp, facts.descriptor_of_b(step), "B", product.descriptor_of_b)) return false;
  const auto accumulates =
      uniform_value(warp, facts.accumulates(step), "whether the accumulators' values count");
  product.accumulates = accumulates.value_or(0) != 0;
  return accumulates.has_value();
}

/// What is in memory when the product is issued must be visible to it.
bool check_proxy_of(Warp& warp, const WgmmaProduct& product) {
  const auto& facts = static_cast<const WgmmaFacts&>(*product.step->facts);
  if (facts.registers_of_a == 0 && !check_proxy(warp, part_of_a(warp, product))) return false;
  return check_proxy(warp, part_of_b(product));
}

void execute_product(Warp& warp, const Step& step) {
  if (!is_warpgroup_aligned(warp)) return;
  WgmmaProduct product{.step = &step};
  if (!take_operands(warp, product)) return;
  const WarpgroupStep shared{step.instruction,
                             {product.descriptor_of_a, product.descriptor_of_b, product.accumulates}};
  if (!join(warp, shared)) return;
  const std::string conflict = warp.wgmma.registers.conflict_of_product(warp.program(), step);
  if (!conflict.empty()) return warp.fault(FaultKind::illegal, conflict);
  if (!check_proxy_of(warp, product)) return;
  warp.wgmma.issue(product);
}

void execute_fence(Warp& warp, const Step& step) {
  if (is_warpgroup_aligned(warp) && join(warp, {step.instruction})) warp.wgmma.registers.fence();
}

void execute_commit(Warp& warp, const Step& step) {
  if (is_warpgroup_aligned(warp) && join(warp, {step.instruction})) warp.wgmma.commit();
}

/// number: how many groups may stay.
void execute_wait(Warp& warp, const Step& step) {
  if (!is_warpgroup_aligned(warp) || !join(warp, {step.instruction})) return;
  const auto due = warp.wgmma.due(step.number);
  for (const WgmmaProduct& each : due) {
    warp.issued_by = each.step->instruction;
    if (!compute(warp, each)) return;
  }
  warp.issued_by.reset();
  warp.wgmma.complete(due.size());
}

Execute decode_wait(Decoding& decoding) {
  const std::int64_t kept = decoding.immediate(0);
  if (kept < 0) decoding.fail("the number of groups is negative");
  decoding.step.number = static_cast<std::uint64_t>(kept);
  return execute_wait;
}

Execute decode_wgmma(Decoding& decoding) {
  require_wgmma_target(decoding);
  if (decoding.take("mma_async")) return decode_wgmma_product(decoding) ? execute_product : nullptr;
  take_aligned(decoding);
  if (decoding.take("fence")) return execute_fence;
  if (decoding.take("commit_group")) return execute_commit;
  if (decoding.take("wait_group")) return decode_wait(decoding);
  return nullptr;
}

}  // namespace

void add_wgmma_instructions(InstructionTable& table) {
  table["wgmma"] = {decode_wgmma, StepClass::matrix};
  table["setmaxnreg"] = {decode_setmaxnreg, StepClass::synchronization};
}

}  // namespace lathe::runtime::ptx
