// cp.async.bulk and cp.reduce.async.bulk: runs of bytes, and waiting for bulk groups.
#include <bit>

#include <fmt/format.h>

#include "runtime/ptx/bulk_decoding.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

constexpr unsigned kAlignment = 16;

struct BulkFacts : Facts {
  AddressOperand to;
  AddressOperand from;
  std::size_t size = 0;  ///< input
  CompletionOperands completion;
  std::optional<Combination> combination;
};

/// The operand of one lane; after a fault false.
bool read_size(Warp& warp, unsigned lane, Slot slot, std::uint32_t& size) {
  if (!are_defined(warp, slot, LaneMask{1} << lane, "it is the size of a bulk operation")) return false;
  size = static_cast<std::uint32_t>(warp.value(slot, lane));
  if (size != 0 && size % kAlignment == 0) return true;
  warp.fault(FaultKind::illegal, fmt::format("the size is {}, it must be a multiple of 16 above 0", size),
             lane);
  return false;
}

bool issue_bulk(Warp& warp, const Step& step, unsigned lane) {
  const auto& facts = static_cast<const BulkFacts&>(*step.facts);
  std::uint32_t size = 0;
  if (!read_size(warp, lane, step.input(facts.size), size)) return false;
  AsyncTransfer transfer;
  transfer.issuer = {.warp = &warp, .lane = lane, .instruction = step.instruction};
  transfer.pieces = {{.from = 0, .to = 0, .bytes = size}};
  transfer.bytes = size;
  transfer.combination = facts.combination;
  const Access written{.kind = AccessKind::write, .bytes = size, .alignment = kAlignment};
  const Access read{.kind = AccessKind::read, .bytes = size, .alignment = kAlignment};
  return resolve(warp, step, lane, facts.to, written, transfer.to) &&
         resolve(warp, step, lane, facts.from, read, transfer.from) &&
         issue(warp, step, facts.completion, std::move(transfer));
}

/// Inputs: destination, source, size, and those of the completion.
void execute_bulk(Warp& warp, const Step& step) {
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    if (!issue_bulk(warp, step, static_cast<unsigned>(std::countr_zero(left)))) return;
  }
}

/// Changes no result, but the addresses must be right. Inputs: source, size.
void execute_prefetch(Warp& warp, const Step& step) {
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    std::uint32_t size = 0;
    if (!read_size(warp, lane, step.input(1), size)) return;
    const AddressOperand from{.input = 0, .offset = step.offset, .space = Space::global};
    Place place;
    const Access read{.kind = AccessKind::read, .bytes = size, .alignment = kAlignment};
    if (!resolve(warp, step, lane, from, read, place)) return;
  }
}

void execute_commit(Warp& warp, const Step&) {
  for (LaneMask left = warp.active(); left != 0; left &= left - 1)
    warp.bulk_groups.commit(static_cast<unsigned>(std::countr_zero(left)));
}

/// number: how many groups may stay.
template <bool kOnlyReads>
void execute_wait(Warp& warp, const Step& step) {
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    if (!warp.bulk_groups.wait(lane, step.number, kOnlyReads)) return;
  }
}

Execute decode_wait_group(Decoding& decoding) {
  const bool only_reads = decoding.take("read");
  const std::int64_t kept = decoding.immediate(0);
  if (kept < 0) decoding.fail("the number of groups is negative");
  decoding.step.number = static_cast<std::uint64_t>(kept);
  return only_reads ? execute_wait<true> : execute_wait<false>;
}

Execute decode_prefetch(Decoding& decoding) {
  if (decoding.take("tensor")) return decode_tensor_prefetch(decoding);
  decoding.take("L2");
  decoding.take("global");
  decoding.address_input(decoding.operand(0), Space::global);
  decoding.input(1, 32);
  if (decoding.take("L2::cache_hint")) decoding.input(2, 64);
  return execute_prefetch;
}

/// Takes everything but the operation of a reduction.
Execute decode_operands(Decoding& decoding, BulkFacts& facts, const BulkDirection& direction) {
  facts.to = take_address(decoding, decoding.operand(0), direction.to);
  facts.from = take_address(decoding, decoding.operand(1), direction.from);
  facts.size = decoding.step.inputs;
  decoding.input(2, 32);
  facts.completion = take_completion(decoding, direction, 3);
  return execute_bulk;
}

}  // namespace

Execute decode_bulk_copy(Decoding& decoding) {
  if (decoding.take("commit_group")) return execute_commit;
  if (decoding.take("wait_group")) return decode_wait_group(decoding);
  if (decoding.take("prefetch")) return decode_prefetch(decoding);
  if (decoding.take("tensor")) return decode_tensor_copy(decoding);
  auto& facts = decoding.add_facts<BulkFacts>();
  if (!decoding.take_any({"cp_mask", "ignore_oob"}).empty())
    decoding.fail("bulk copies of some bytes only are not run");
  return decode_operands(decoding, facts, take_direction(decoding));
}

Execute decode_bulk_reduction(Decoding& decoding) {
  if (decoding.take("tensor")) return decode_tensor_reduction(decoding);
  auto& facts = decoding.add_facts<BulkFacts>();
  const BulkDirection direction = take_direction(decoding);
  const AtomicOperation operation = take_reduction(decoding);
  const Type type = decoding.take_type();
  const bool is_half = type == Type::f16 || type == Type::bf16;
  const bool keeps_denormals = decoding.take("noftz");
  const bool exists = direction.is_store() ? is_global_reduction(operation, type)
                                           : !direction.is_load() && is_shared_reduction(operation, type);
  if (!exists) decoding.fail("there is no such reduction");
  if (keeps_denormals != (is_half && operation == AtomicOperation::add))
    decoding.fail("additions of f16 and bf16, and no others, are .noftz");
  facts.combination = {.operation = operation, .type = type};
  return decode_operands(decoding, facts, direction);
}

}  // namespace lathe::runtime::ptx
