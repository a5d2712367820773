#include "runtime/ptx/control_instructions.h"

#include <array>

#include <fmt/format.h>

#include "runtime/ptx/block.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

void execute_branch(Warp& warp, const Step& step) {
  warp.jump(step.target);
}

Execute decode_branch(Decoding& decoding) {
  decoding.take("uni");
  decoding.step.target = decoding.step_of_label(decoding.operand(0));
  return execute_branch;
}

struct BranchTargets : Facts {
  std::vector<std::uint32_t> steps;
};

void execute_indexed_branch(Warp& warp, const Step& step) {
  const auto& targets = static_cast<const BranchTargets&>(*step.facts).steps;
  const auto* index = warp.lanes<std::uint32_t>(step.input(0));
  std::array<std::uint32_t, kLanes> steps{};
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    if ((warp.active() >> lane & 1) == 0) continue;
    if (index[lane] >= targets.size()) {
      return warp.fault(
          FaultKind::illegal,
          fmt::format("the index is {}, the branch has {} targets", index[lane], targets.size()), lane);
    }
    steps[lane] = targets[index[lane]];
  }
  warp.jump_each(steps);
}

Execute decode_indexed_branch(Decoding& decoding) {
  decoding.take("uni");
  if (!decoding.take("idx")) decoding.fail("brx is known as brx.idx");
  decoding.input(0, 32);
  auto& targets = decoding.add_facts<BranchTargets>();
  for (const Operand& label : decoding.instruction().results)
    targets.steps.push_back(decoding.step_of_label(label));
  if (targets.steps.empty()) decoding.fail("the branch has no targets");
  return execute_indexed_branch;
}

void execute_return(Warp& warp, const Step&) {
  warp.return_or_exit();
}

Execute decode_return(Decoding& decoding) {
  decoding.take("uni");
  return execute_return;
}

Execute decode_exit(Decoding&) {
  return [](Warp& warp, const Step&) { warp.exit(); };
}

Execute decode_trap(Decoding&) {
  return [](Warp& warp, const Step&) { warp.fault(FaultKind::trap, "the kernel ended itself"); };
}

Execute decode_nothing(Decoding&) {
  return [](Warp&, const Step&) {};
}

Execute decode_nanosleep(Decoding& decoding) {
  decoding.take("u32");
  decoding.input(0, 32);
  return [](Warp& warp, const Step&) { warp.yield(); };
}

/// Grids run one after the other, so that there is nothing to wait for.
Execute decode_grid_dependency(Decoding& decoding) {
  if (decoding.take_any({"launch_dependents", "wait"}).empty())
    decoding.fail("launch_dependents or wait is expected");
  return [](Warp&, const Step&) {};
}

}  // namespace

Step final_return() {
  Step step;
  step.execute = execute_return;
  step.step_class = StepClass::control;
  step.tracks_definedness_itself = true;
  return step;
}

void add_control_instructions(InstructionTable& table) {
  table["bra"] = {decode_branch, StepClass::control};
  table["brx"] = {decode_indexed_branch, StepClass::control};
  table["ret"] = {decode_return, StepClass::control};
  table["exit"] = {decode_exit, StepClass::control};
  table["trap"] = {decode_trap, StepClass::control};
  table["brkpt"] = {decode_nothing, StepClass::control};
  table["nanosleep"] = {decode_nanosleep, StepClass::control};
  table["griddepcontrol"] = {decode_grid_dependency, StepClass::control};
}

}  // namespace lathe::runtime::ptx
