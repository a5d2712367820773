// cp.async.bulk.tensor, cp.reduce.async.bulk.tensor, and prefetches of tensors and their maps.
#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <string_view>

#include <fmt/format.h>

#include "runtime/ptx/bulk_decoding.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/memory_access.h"
#include "runtime/ptx/tensor_box.h"
#include "runtime/ptx/tensor_map.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

struct TensorFacts : Facts {
  AddressOperand map;
  unsigned rank = 0;
  std::size_t corner = 0;  ///< the first of as many inputs
  AddressOperand box;      ///< in shared memory
  CompletionOperands completion;
  bool is_load = true;
  std::optional<AtomicOperation> reduction;  ///< of a store
};

/// After a fault nullopt.
std::optional<TensorMapSpec> read_map(Warp& warp, const Step& step, unsigned lane,
                                      const AddressOperand& address) {
  Place place;
  const Access access{.kind = AccessKind::read, .bytes = TensorMap::kBytes, .alignment = kTensorMapAlignment};
  if (!resolve(warp, step, lane, address, access, place)) return std::nullopt;
  if (place.space == Space::shared || place.space == Space::local) {
    warp.fault(FaultKind::illegal, fmt::format("a tensor map in {} memory", name_of(place.space)), lane);
    return std::nullopt;
  }
  if (!check_defined(warp, lane, place, TensorMap::kBytes)) return std::nullopt;
  auto map = decode_tensor_map(std::span<const std::byte, TensorMap::kBytes>(place.bytes, TensorMap::kBytes));
  if (!map)
    warp.fault(FaultKind::illegal, "what it takes for a tensor map is none, or has been changed", lane);
  return map;
}

/// Those of the map, which must be of the instruction's rank; after a fault nullopt.
std::optional<TensorMapSpec> read_operands(Warp& warp, const Step& step, unsigned lane, BoxCorner& corner) {
  const auto& facts = static_cast<const TensorFacts&>(*step.facts);
  auto map = read_map(warp, step, lane, facts.map);
  if (!map) return std::nullopt;
  if (map->rank != facts.rank) {
    warp.fault(FaultKind::illegal,
               fmt::format("the tensor map has {} dimensions, the instruction {}", map->rank, facts.rank),
               lane);
    return std::nullopt;
  }
  for (unsigned i = 0; i < facts.rank; ++i) {
    const Slot slot = step.input(facts.corner + i);
    if (!are_defined(warp, slot, LaneMask{1} << lane, "it is a coordinate of a tensor")) return std::nullopt;
    corner[i] = static_cast<std::int32_t>(warp.value(slot, lane));
  }
  return map;
}

/// What reductions take the elements for.
std::optional<Type> reduced_type(AtomicOperation operation, DType dtype) {
  const bool is_bitwise = operation == AtomicOperation::bit_and || operation == AtomicOperation::bit_or ||
                          operation == AtomicOperation::bit_xor;
  switch (dtype) {
    case f32:
      return Type::f32;
    case f16:
      return Type::f16;
    case bf16:
      return Type::bf16;
    case i32:
      return is_bitwise ? Type::b32 : Type::s32;
    case i64:
      return is_bitwise ? Type::b64 : operation == AtomicOperation::add ? Type::u64 : Type::s64;
    default:
      return std::nullopt;
  }
}

bool set_combination(const TensorFacts& facts, const TensorMapSpec& map, AsyncTransfer& transfer) {
  if (!facts.reduction) return true;
  const auto type = reduced_type(*facts.reduction, map.dtype);
  if (type && is_global_reduction(*facts.reduction, *type)) {
    transfer.combination = {.operation = *facts.reduction, .type = *type};
    return true;
  }
  transfer.issuer.warp->fault(
      FaultKind::illegal, fmt::format("there is no such reduction of {} tensors", lathe::name_of(map.dtype)),
      transfer.issuer.lane);
  return false;
}

/// The tensor's first byte, with every piece looked up.
bool resolve_tensor(const AsyncTransfer& transfer, const TensorMapSpec& map, bool is_load, Place& tensor) {
  Warp& warp = *transfer.issuer.warp;
  const unsigned lane = transfer.issuer.lane;
  const auto address = reinterpret_cast<std::uintptr_t>(map.address);
  Access access{.kind = is_load ? AccessKind::read : AccessKind::write,
                .bytes = 1,
                .alignment = 1,
                .space = Space::global};
  if (!resolve(warp, lane, address, access, tensor)) return false;
  for (const TransferPiece& piece : transfer.pieces) {
    const std::size_t offset = is_load ? piece.from : piece.to;
    if (offset == TransferPiece::kZeros) continue;
    access.bytes = static_cast<unsigned>(piece.bytes);
    Place place;
    if (!resolve(warp, lane, address + offset, access, place)) return false;
    if (place.bytes - place.offset == tensor.bytes - tensor.offset) continue;  // of their allocations
    warp.fault(FaultKind::out_of_bounds, "the tensor map reaches into another allocation", lane);
    return false;
  }
  return true;
}

bool issue_tensor(Warp& warp, const Step& step, unsigned lane) {
  const auto& facts = static_cast<const TensorFacts&>(*step.facts);
  BoxCorner corner{};
  const auto map = read_operands(warp, step, lane, corner);
  if (!map) return false;
  AsyncTransfer transfer;
  transfer.issuer = {.warp = &warp, .lane = lane, .instruction = step.instruction};
  // A box may have more bytes than there are; then it has no place.
  constexpr std::size_t kMost = std::numeric_limits<std::uint32_t>::max();
  transfer.bytes = static_cast<std::uint32_t>(std::min(box_bytes(*map), kMost));
  const Access access{.kind = facts.is_load ? AccessKind::write : AccessKind::read,
                      .bytes = transfer.bytes,
                      .alignment = static_cast<unsigned>(box_alignment(map->swizzle))};
  Place& box = facts.is_load ? transfer.to : transfer.from;
  Place& tensor = facts.is_load ? transfer.from : transfer.to;
  if (!set_combination(facts, *map, transfer) || !resolve(warp, step, lane, facts.box, access, box))
    return false;
  transfer.pieces = facts.is_load ? pieces_of_load(*map, corner) : pieces_of_store(*map, corner);
  return resolve_tensor(transfer, *map, facts.is_load, tensor) &&
         issue(warp, step, facts.completion, std::move(transfer));
}

/// Inputs: in the order of TensorFacts.
void execute_tensor(Warp& warp, const Step& step) {
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    if (!issue_tensor(warp, step, static_cast<unsigned>(std::countr_zero(left)))) return;
  }
}

/// Changes no result, but the map must be one. Inputs: the map, and the corner of a tensor's.
void execute_prefetch(Warp& warp, const Step& step) {
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    BoxCorner corner{};
    const AddressOperand map{.input = 0, .offset = step.offset, .space = step.space};
    const bool is_tensor = step.facts != nullptr;
    if (is_tensor ? !read_operands(warp, step, lane, corner) : !read_map(warp, step, lane, map)) return;
  }
}

/// Takes `.2d` and the like, and the load mode.
unsigned take_rank(Decoding& decoding) {
  for (const std::string_view name : decoding.rest()) {
    if (name.starts_with("im2col") || name.starts_with("tile::")) {
      decoding.fail(fmt::format("tensor copies of mode .{} are not run", name));
      return 1;
    }
  }
  if (!decoding.take_any({"cta_group::1", "cta_group::2"}).empty()) decoding.fail(".cta_group is not run");
  decoding.take("tile");
  for (unsigned rank = 1; rank <= TensorMapSpec::kMaxRank; ++rank) {
    if (decoding.take(fmt::format("{}d", rank))) return rank;
  }
  decoding.fail("the number of dimensions is missing");
  return 1;
}

/// `[map, {x, y}]`
void take_tensor(Decoding& decoding, const Operand& operand, TensorFacts& facts) {
  facts.map = take_address(decoding, operand, Space::generic);
  if (operand.elements.size() != 2) return decoding.fail("the tensor's coordinates are missing");
  const auto corner = Decoding::elements_of(operand.elements[1]);
  if (corner.size() != facts.rank) decoding.fail(fmt::format("there are {} coordinates", corner.size()));
  facts.corner = decoding.step.inputs;
  for (const Operand* each : corner) decoding.input(*each, 32);
}

Execute decode_tensor(Decoding& decoding, TensorFacts& facts) {
  const BulkDirection direction = take_direction(decoding);
  facts.is_load = direction.is_load();
  if (!facts.is_load && !direction.is_store()) decoding.fail("a tensor is in .global");
  if (facts.is_load && facts.reduction) decoding.fail("a reduction goes to .global");
  take_tensor(decoding, decoding.operand(facts.is_load ? 1 : 0), facts);
  facts.box = take_address(decoding, decoding.operand(facts.is_load ? 0 : 1),
                           facts.is_load ? direction.to : direction.from);
  facts.completion = take_completion(decoding, direction, 2);
  return execute_tensor;
}

}  // namespace

Execute decode_tensor_copy(Decoding& decoding) {
  auto& facts = decoding.add_facts<TensorFacts>();
  facts.rank = take_rank(decoding);
  return decode_tensor(decoding, facts);
}

Execute decode_tensor_reduction(Decoding& decoding) {
  auto& facts = decoding.add_facts<TensorFacts>();
  facts.rank = take_rank(decoding);
  facts.reduction = take_reduction(decoding);
  return decode_tensor(decoding, facts);
}

Execute decode_tensor_prefetch(Decoding& decoding) {
  auto& facts = decoding.add_facts<TensorFacts>();
  facts.rank = take_rank(decoding);
  decoding.take("L2");
  decoding.take("global");
  take_tensor(decoding, decoding.operand(0), facts);
  if (decoding.take("L2::cache_hint")) decoding.input(1, 64);
  return execute_prefetch;
}

Execute decode_tensor_map_prefetch(Decoding& decoding) {
  const Space space = decoding.take("param")   ? Space::param
                      : decoding.take("const") ? Space::constant
                                               : Space::generic;
  decoding.address_input(decoding.operand(0), space);
  return execute_prefetch;
}

}  // namespace lathe::runtime::ptx
