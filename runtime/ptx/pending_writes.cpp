#include "runtime/ptx/pending_writes.h"

#include "runtime/ptx/block.h"
#include "runtime/ptx/cluster.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

std::optional<std::uint32_t> pending_load_to(const Place& place, std::size_t bytes) {
  if (const AsyncCopy* copy = pending_copy_to(place, bytes)) return copy->instruction;
  for (const auto& [offset, object] : place.block->mbarriers()) {
    for (const PendingSignal& each : object.pending) {
      const auto* transfer = std::get_if<AsyncTransfer>(&each);
      if (transfer != nullptr && transfer->writes(place, bytes)) return transfer->issuer.instruction;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint32_t> pending_write_to(Warp& warp, const Place& place, std::size_t bytes) {
  if (place.block != nullptr) return pending_load_to(place, bytes);
  if (place.space != Space::global) return std::nullopt;
  Cluster& cluster = warp.block().cluster();
  for (unsigned rank = 0; rank < cluster.size(); ++rank) {
    for (const auto& each : cluster.block(rank)->warps()) {
      for (const BulkGroups::Member& member : each->bulk_groups.members()) {
        if (member.transfer.writes(place, bytes)) return member.transfer.issuer.instruction;
      }
    }
  }
  return std::nullopt;
}

}  // namespace lathe::runtime::ptx
