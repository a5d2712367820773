#include "runtime/ptx/decode.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "codegen/kernel_source.h"
#include "runtime/base/try.h"
#include "runtime/ptx/call_instructions.h"
#include "runtime/ptx/control_instructions.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/register_budget.h"
#include "runtime/ptx/setmaxnreg_instruction.h"
#include "runtime/ptx/wgmma_state.h"

namespace lathe::runtime::ptx {

namespace {

using Functions = std::vector<const Function*>;

Error not_loadable(std::string message) {
  return {.code = ErrorCode::load_failed, .stage = Stage::load, .message = std::move(message)};
}

const Function* callee_of(const Module& module, const Instruction& instruction) {
  if (instruction.opcode != "call") return nullptr;
  for (const Operand& operand : instruction.operands) {
    if (operand.kind == Operand::Kind::function) return &module.functions[operand.index];
  }
  return nullptr;
}

/// Appends the function and all that it calls, each once. `path`: those that are being added.
Result<void> add_reachable(const Module& module, const Function& function, Functions& path, Functions& all) {
  if (std::find(path.begin(), path.end(), &function) != path.end())
    return not_loadable(
        fmt::format("the function {} calls itself, which the emulator does not run", function.name));
  if (std::find(all.begin(), all.end(), &function) != all.end()) return {};
  if (!function.is_defined)
    return not_loadable(fmt::format("the function {} is called but not there", function.name));
  all.push_back(&function);
  path.push_back(&function);
  for (const Instruction& instruction : function.code) {
    const Function* callee = callee_of(module, instruction);
    if (callee != nullptr) LATHE_CHECK(add_reachable(module, *callee, path, all));
  }
  path.pop_back();
  return {};
}

/// Templates by the names that they have in their library.
std::string text_of(const Module& module, const SourceLine& source) {
  for (const auto& [number, file] : module.files) {
    if (number != source.file || number == 0) continue;
    std::string_view name = file;
    if (name.starts_with(codegen::kSourceRoot)) name.remove_prefix(codegen::kSourceRoot.size());
    return fmt::format("{}:{}", name, source.line);
  }
  return {};
}

std::string source_of(const Module& module, const Instruction& instruction) {
  const std::string caller = text_of(module, instruction.inlined_at);
  return text_of(module, instruction.source) + (caller.empty() ? "" : " inlined at " + caller);
}

/// Appends a step with its origin; keeps what it points to.
void append(Program& program, Decoding::Finished finished, Origin origin) {
  auto slots = std::make_unique<Slot[]>(finished.slots.size());
  std::copy(finished.slots.begin(), finished.slots.end(), slots.get());
  finished.step.slots = slots.get();
  finished.step.instruction = static_cast<std::uint32_t>(program.origins.size());
  program.slot_lists.push_back(std::move(slots));
  if (finished.facts) program.facts.push_back(std::move(finished.facts));
  program.steps.push_back(finished.step);
  program.origins.push_back(std::move(origin));
}

Result<void> decode_function(const Module& module, const Function& function, const InstructionTable& table,
                             FrameLayout& layout, Program& program) {
  for (const Instruction& instruction : function.code) {
    const auto opcode = table.find(instruction.opcode);
    if (opcode == table.end()) {
      Decoding unknown(instruction, layout, module, function);
      unknown.fail("the instruction is not known");
      return unknown.finish(nullptr).error();
    }
    Decoding decoding(instruction, layout, module, function);
    decoding.step.step_class = opcode->second.step_class;
    const Execute execute = opcode->second.decode(decoding);
    LATHE_TRY(auto finished, decoding.finish(execute));
    const Origin origin{std::string(instruction.text), instruction.line, source_of(module, instruction)};
    append(program, std::move(finished), origin);
    if (instruction.opcode == "call") {
      Decoding results(instruction, layout, module, function);
      LATHE_TRY(auto copies, results.finish(decode_call_results(results)));
      append(program, std::move(copies), origin);
    }
  }
  append(program, {.step = final_return(), .slots = {}, .facts = nullptr},
         {fmt::format("end of {}", function.name), function.line, {}});
  return {};
}

}  // namespace

Result<Program> decode(const Module& module, std::string_view entry) {
  const auto found = std::find_if(module.functions.begin(), module.functions.end(),
                                  [&](const Function& each) { return each.is_entry && each.name == entry; });
  if (found == module.functions.end()) return not_loadable(fmt::format("the PTX has no entry {}", entry));
  Functions path;
  Functions functions;
  LATHE_CHECK(add_reachable(module, *found, path, functions));

  FrameLayout layout(module, functions);
  const InstructionTable table = make_instruction_table();
  Program program;
  program.name = entry;
  for (const Function* function : functions)
    LATHE_CHECK(decode_function(module, *function, table, layout, program));
  if (found->max_threads != 0) program.max_threads = found->max_threads;
  layout.finish(program);
  watch_wgmma_registers(program);
  program.registers = registers_at_entry({.max_registers = found->max_registers,
                                          .max_threads = found->max_threads,
                                          .min_blocks = found->min_blocks},
                                         largest_register_increase(program));
  return program;
}

}  // namespace lathe::runtime::ptx
