// st.async and red.async: values of registers that go to the shared memory of a block of the cluster, and are
// signalled to an mbarrier there.
#include <bit>
#include <cstring>

#include "runtime/ptx/access_modifiers.h"
#include "runtime/ptx/block.h"
#include "runtime/ptx/bulk_decoding.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

struct RegisterFacts : Facts {
  AddressOperand to;
  std::size_t values = 0;  ///< the first of as many inputs
  unsigned elements = 1;
  unsigned element_bytes = 4;
  CompletionOperands completion;
  std::optional<Combination> combination;
};

void add_values(Warp& warp, const Step& step, const RegisterFacts& facts, AsyncTransfer& transfer) {
  transfer.data.resize(transfer.bytes);
  transfer.is_read = true;
  for (unsigned i = 0; i < facts.elements; ++i) {
    const Slot slot = step.input(facts.values + i);
    const std::uint64_t value = warp.value(slot, transfer.issuer.lane);
    const std::size_t at = std::size_t{i} * facts.element_bytes;
    std::memcpy(transfer.data.data() + at, &value, facts.element_bytes);
    const bool is_defined = (warp.defined(slot) >> transfer.issuer.lane & 1) != 0;
    if (is_defined || !warp.block().checks_definedness()) continue;
    if (transfer.defined.empty()) transfer.defined.assign(transfer.bytes, true);
    for (std::size_t byte = 0; byte < facts.element_bytes; ++byte) transfer.defined[at + byte] = false;
  }
}

bool issue_values(Warp& warp, const Step& step, unsigned lane) {
  const auto& facts = static_cast<const RegisterFacts&>(*step.facts);
  if (facts.combination && !are_defined(warp, step.input(facts.values), LaneMask{1} << lane,
                                        "it is an operand of an atomic operation"))
    return false;
  AsyncTransfer transfer;
  transfer.issuer = {.warp = &warp, .lane = lane, .instruction = step.instruction};
  transfer.bytes = facts.elements * facts.element_bytes;
  transfer.pieces = {{.from = TransferPiece::kZeros, .to = 0, .bytes = transfer.bytes}};
  transfer.combination = facts.combination;
  transfer.is_generic = true;
  add_values(warp, step, facts, transfer);
  const Access access{.kind = AccessKind::write, .bytes = transfer.bytes, .alignment = transfer.bytes};
  if (!resolve(warp, step, lane, facts.to, access, transfer.to)) return false;
  if (transfer.to.space != Space::shared) {
    warp.fault(FaultKind::illegal, "the destination is not in shared memory", lane);
    return false;
  }
  return issue(warp, step, facts.completion, std::move(transfer));
}

/// Inputs: destination, values, mbarrier.
void execute_values(Warp& warp, const Step& step) {
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    if (!issue_values(warp, step, static_cast<unsigned>(std::countr_zero(left)))) return;
  }
}

/// Everything but the type and the operation.
Execute decode_operands(Decoding& decoding, RegisterFacts& facts, Type type) {
  if (!decoding.take("mbarrier::complete_tx::bytes"))
    decoding.fail(".mbarrier::complete_tx::bytes is missing");
  const Space space = decoding.take("shared::cluster") ? Space::shared_cluster : Space::generic;
  facts.elements = take_vector(decoding);
  facts.element_bytes = bytes_of(type);
  if (facts.elements * facts.element_bytes > 16) decoding.fail("an asynchronous store has at most 16 bytes");
  facts.to = take_address(decoding, decoding.operand(0), space);
  facts.values = decoding.step.inputs;
  const auto elements = Decoding::elements_of(decoding.operand(1));
  if (elements.size() != facts.elements) decoding.fail("the vector has another number of registers");
  for (const Operand* element : elements) decoding.input(*element, bits_of(type));
  facts.completion = {
      .by_mbarrier = true, .mbarrier = take_address(decoding, decoding.operand(2), space), .mask = {}};
  return execute_values;
}

}  // namespace

Execute decode_async_store(Decoding& decoding) {
  auto& facts = decoding.add_facts<RegisterFacts>();
  decoding.take("weak");
  const Type type = decoding.take_type();
  if (type == Type::pred || bytes_of(type) < 4 || bytes_of(type) > 8)
    decoding.fail("values have 32 or 64 bits");
  return decode_operands(decoding, facts, type);
}

Execute decode_async_reduction(Decoding& decoding) {
  auto& facts = decoding.add_facts<RegisterFacts>();
  decoding.take("relaxed");
  decoding.take("cluster");
  const AtomicOperation operation = take_reduction(decoding);
  const Type type = decoding.take_type();
  const bool exists =
      is_shared_reduction(operation, type) || (operation == AtomicOperation::add && type == Type::s64);
  if (!exists) decoding.fail("there is no such reduction");
  facts.combination = {.operation = operation, .type = type};
  return decode_operands(decoding, facts, type);
}

}  // namespace lathe::runtime::ptx
