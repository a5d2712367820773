#include "runtime/ptx/bulk_decoding.h"

#include <array>
#include <bit>
#include <string_view>

#include <fmt/format.h>

#include "runtime/ptx/block.h"
#include "runtime/ptx/cluster.h"
#include "runtime/ptx/mbarrier_objects.h"
#include "runtime/ptx/profile.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

struct KnownDirection {
  std::string_view to;
  std::string_view from;
  BulkDirection direction;
};

constexpr std::array<KnownDirection, 4> kDirections{{
    {"shared::cluster", "global", {Space::shared_cluster, Space::global}},
    {"shared::cta", "global", {Space::shared, Space::global}},
    {"shared::cluster", "shared::cta", {Space::shared_cluster, Space::shared}},
    {"global", "shared::cta", {Space::global, Space::shared}},
}};

constexpr std::string_view kByMbarrier = "mbarrier::complete_tx::bytes";

Place place_in(Block& block, const Place& place) {
  Shadow& shadow = block.shared_shadow();
  return {block.shared().data() + place.offset, shadow.is_tracked() ? &shadow : nullptr, place.offset,
          Space::shared, &block};
}

/// The global memory that a transfer reads or writes, in rows that lie side by side.
void count_traffic(const AsyncTransfer& transfer) {
  Profile* profile = transfer.issuer.warp->block().launch().profile;
  const bool is_load = transfer.from.space == Space::global;
  const Place& global = is_load ? transfer.from : transfer.to;
  if (profile == nullptr || global.space != Space::global) return;
  const AccessKind kind = is_load                ? AccessKind::read
                          : transfer.combination ? AccessKind::atomic
                                                 : AccessKind::write;
  std::array<Place, kLanes> places;
  std::size_t begin = 0;
  std::size_t end = 0;
  const auto count_row = [&] {
    if (begin == end) return;
    places[0] = further(global, begin);
    profile->count({.kind = kind, .bytes = static_cast<unsigned>(end - begin), .alignment = 1}, 1, places);
  };
  for (const TransferPiece& piece : transfer.pieces) {
    const std::size_t offset = is_load ? piece.from : piece.to;
    if (offset == TransferPiece::kZeros) continue;
    if (offset != end) {
      count_row();
      begin = offset;
    }
    end = offset + piece.bytes;
  }
  count_row();
}

bool issue_multicast(const AsyncTransfer& transfer, const Place& mbarrier, std::uint64_t mask) {
  Warp& warp = *transfer.issuer.warp;
  Cluster& cluster = warp.block().cluster();
  if (mask == 0 || mask >> cluster.size() != 0) {
    warp.fault(FaultKind::illegal,
               fmt::format("the multicast goes to the blocks of mask {:#x}, the cluster has {}", mask,
                           cluster.size()),
               transfer.issuer.lane);
    return false;
  }
  for (; mask != 0; mask &= mask - 1) {
    Block& block = *cluster.block(static_cast<unsigned>(std::countr_zero(mask)));
    AsyncTransfer copy = transfer;
    copy.to = place_in(block, transfer.to);
    if (!issue(std::move(copy), place_in(block, mbarrier))) return false;
  }
  return true;
}

}  // namespace

BulkDirection take_direction(Decoding& decoding) {
  const auto& rest = decoding.rest();
  for (const auto& [to, from, direction] : kDirections) {
    if (rest.size() < 2 || rest[0] != to || rest[1] != from) continue;
    decoding.take(to);
    decoding.take(from);
    const std::string_view completion = direction.is_store() ? "bulk_group" : kByMbarrier;
    if (!decoding.take(completion)) decoding.fail(fmt::format(".{} is missing", completion));
    return direction;
  }
  decoding.fail(
      "bulk operations go from .global to .shared::cluster or .shared::cta, from .shared::cta to "
      ".shared::cluster, or from .shared::cta to .global");
  return {};
}

CompletionOperands take_completion(Decoding& decoding, const BulkDirection& direction, std::size_t next) {
  CompletionOperands completion{.by_mbarrier = !direction.is_store(), .mbarrier = {}, .mask = {}};
  const bool is_multicast = decoding.take("multicast::cluster");
  const bool has_policy = decoding.take("L2::cache_hint");
  if (is_multicast && (!direction.is_load() || direction.to != Space::shared_cluster))
    decoding.fail("a multicast goes from .global to .shared::cluster");
  if (has_policy && direction.from != Space::global && direction.to != Space::global)
    decoding.fail("a cache policy is for global memory");
  if (completion.by_mbarrier) {
    completion.mbarrier = take_address(decoding, decoding.operand(next), direction.to);
    ++next;
  }
  if (is_multicast) {
    completion.mask = decoding.step.inputs;
    decoding.input(next, 16);
    ++next;
  }
  if (has_policy) {
    decoding.input(next, 64);
    ++next;
  }
  if (decoding.operands() != next)
    decoding.fail(fmt::format("it has {} operands, not {}", next, decoding.operands()));
  return completion;
}

AtomicOperation take_reduction(Decoding& decoding) {
  for (const std::string_view name : {"add", "min", "max", "inc", "dec", "and", "or", "xor"}) {
    if (decoding.take(name)) return *atomic_operation_named(name);
  }
  decoding.fail("the operation of the reduction is missing");
  return AtomicOperation::add;
}

bool is_shared_reduction(AtomicOperation operation, Type type) {
  switch (operation) {
    case AtomicOperation::add:
      return type == Type::u32 || type == Type::s32 || type == Type::u64;
    case AtomicOperation::min:
    case AtomicOperation::max:
      return type == Type::u32 || type == Type::s32;
    case AtomicOperation::increment:
    case AtomicOperation::decrement:
      return type == Type::u32;
    case AtomicOperation::bit_and:
    case AtomicOperation::bit_or:
    case AtomicOperation::bit_xor:
      return type == Type::b32;
    default:
      return false;
  }
}

bool is_global_reduction(AtomicOperation operation, Type type) {
  if (is_shared_reduction(operation, type)) return true;
  switch (operation) {
    case AtomicOperation::add:
      return type == Type::f16 || type == Type::bf16 || type == Type::f32 || type == Type::f64;
    case AtomicOperation::min:
    case AtomicOperation::max:
      return type == Type::u64 || type == Type::s64 || type == Type::f16 || type == Type::bf16;
    case AtomicOperation::bit_and:
    case AtomicOperation::bit_or:
    case AtomicOperation::bit_xor:
      return type == Type::b64;
    default:
      return false;
  }
}

bool issue(Warp& warp, const Step& step, const CompletionOperands& completion, AsyncTransfer transfer) {
  count_traffic(transfer);
  if (!completion.by_mbarrier) return warp.bulk_groups.issue(std::move(transfer));
  const unsigned lane = transfer.issuer.lane;
  Place mbarrier;
  const Access access{.kind = AccessKind::atomic, .bytes = 8, .alignment = 8};
  if (!resolve(warp, step, lane, completion.mbarrier, access, mbarrier)) return false;
  if (completion.mask) {
    const Slot mask = step.input(*completion.mask);
    return are_defined(warp, mask, LaneMask{1} << lane, "it is the mask of a multicast") &&
           issue_multicast(transfer, mbarrier, warp.value(mask, lane));
  }
  if (mbarrier.block != transfer.to.block) {
    warp.fault(FaultKind::illegal, "the mbarrier is in another block than the destination", lane);
    return false;
  }
  return issue(std::move(transfer), mbarrier);
}

}  // namespace lathe::runtime::ptx
