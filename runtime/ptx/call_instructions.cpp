#include "runtime/ptx/call_instructions.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <vector>

#include "runtime/ptx/block.h"
#include "runtime/ptx/frame_layout.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

/// Between offsets in the memory of a thread.
struct Copy {
  std::size_t from = 0;
  std::size_t to = 0;
  std::size_t bytes = 0;
};

struct CallFacts : Facts {
  std::vector<Copy> copies;
};

void copy(Warp& warp, const std::vector<Copy>& copies) {
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    const unsigned thread = warp.index() * kLanes + static_cast<unsigned>(std::countr_zero(left));
    const std::span<std::byte> memory = warp.block().thread_memory(thread);
    Shadow& shadow = warp.block().thread_shadow();
    const std::size_t base = warp.block().thread_memory_offset(thread);
    for (const Copy& each : copies) {
      std::memmove(memory.data() + each.to, memory.data() + each.from, each.bytes);
      shadow.copy(base + each.from, base + each.to, each.bytes);
    }
  }
}

const Function& callee_of(Decoding& decoding) {
  return decoding.module().functions[decoding.operand(0).index];
}

/// One copy for each of the variables [first, first + count) of the callee; from or to the operands.
void add_copies(Decoding& decoding, CallFacts& facts, std::size_t first, std::size_t count,
                std::size_t first_operand, bool is_to_callee) {
  const Function& callee = callee_of(decoding);
  for (std::size_t i = 0; i < count; ++i) {
    const Operand& given = decoding.instruction().results[first_operand + i];
    if (given.kind != Operand::Kind::variable || !given.is_local) {
      return decoding.fail("arguments and results must be .param variables");
    }
    const Variable& mine = decoding.function().variables[given.index];
    const std::size_t theirs_at = decoding.layout().variable_of(callee, first + i) - kThreadParamBase;
    const std::size_t mine_at = decoding.layout().address_of(decoding.function(), given) - kThreadParamBase;
    const std::size_t bytes = std::min(mine.bytes, callee.variables[first + i].bytes);
    facts.copies.push_back(is_to_callee ? Copy{mine_at, theirs_at, bytes} : Copy{theirs_at, mine_at, bytes});
  }
}

void execute_call(Warp& warp, const Step& step) {
  copy(warp, static_cast<const CallFacts&>(*step.facts).copies);
  warp.call(step.target);
}

void execute_call_results(Warp& warp, const Step& step) {
  copy(warp, static_cast<const CallFacts&>(*step.facts).copies);
}

Execute decode_call(Decoding& decoding) {
  decoding.take("uni");
  const Function& callee = callee_of(decoding);
  auto& facts = decoding.add_facts<CallFacts>();
  add_copies(decoding, facts, 0, callee.parameters, callee.results, true);
  decoding.step.target = decoding.layout().step_of(callee, 0);
  return execute_call;
}

}  // namespace

Execute decode_call_results(Decoding& decoding) {
  decoding.take("uni");
  const Function& callee = callee_of(decoding);
  auto& facts = decoding.add_facts<CallFacts>();
  add_copies(decoding, facts, callee.parameters, callee.results, 0, false);
  decoding.step.step_class = StepClass::control;
  return execute_call_results;
}

void add_call_instructions(InstructionTable& table) {
  table["call"] = {decode_call, StepClass::control};
}

}  // namespace lathe::runtime::ptx
