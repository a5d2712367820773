#include "runtime/ptx/bulk_groups.h"

#include <fmt/format.h>

#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

bool is_read_or_reads(AsyncTransfer& transfer) {
  return transfer.is_read || read(transfer);
}

}  // namespace

bool BulkGroups::issue(AsyncTransfer transfer) {
  if (!begin(transfer)) return false;
  const std::uint64_t group = closed_[transfer.issuer.lane];
  members_.push_back({std::move(transfer), group});
  return true;
}

bool BulkGroups::wait(unsigned lane, std::uint64_t kept, bool only_reads) {
  const std::uint64_t end = kept < closed_[lane] ? closed_[lane] - kept : 0;
  const auto is_due = [&](const Member& member) {
    return member.transfer.issuer.lane == lane && member.group < end;
  };
  for (Member& member : members_) {
    if (!is_due(member)) continue;
    if (!is_read_or_reads(member.transfer) || (!only_reads && !write(member.transfer))) return false;
  }
  if (!only_reads) std::erase_if(members_, is_due);
  return true;
}

bool BulkGroups::finish() {
  for (Member& member : members_) {
    if (!is_read_or_reads(member.transfer) || !write(member.transfer)) return false;
  }
  members_.clear();
  return true;
}

void check_no_bulk_reads_pending(Warp& warp) {
  for (const BulkGroups::Member& member : warp.bulk_groups.members()) {
    const Issuer& issuer = member.transfer.issuer;
    if (member.transfer.is_read || (warp.active() >> issuer.lane & 1) == 0) continue;
    const Origin& origin = warp.program().origins[issuer.instruction];
    return warp.fault(
        FaultKind::illegal,
        fmt::format("the thread ends without having waited until the bulk operation issued at PTX "
                    "line {}, `{}`, has read its source in shared memory",
                    origin.line, origin.text),
        issuer.lane);
  }
}

}  // namespace lathe::runtime::ptx
