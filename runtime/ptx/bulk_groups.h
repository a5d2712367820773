// BulkGroups: the bulk operations from shared memory that the lanes of a warp have issued and not waited for
// yet.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "runtime/ptx/async_transfer.h"
#include "runtime/ptx/place.h"
#include "runtime/ptx/program.h"

namespace lathe::runtime::ptx {

class Warp;

/// Groups are each lane's own. A source is read when it is waited for that, and the destination is written
/// when the whole operation is, or else when the cluster has ended.
class BulkGroups {
 public:
  struct Member {
    AsyncTransfer transfer;
    std::uint64_t group = 0;  ///< of its lane, counted from 0
  };

  /// Joins the lane's open group; after a fault false.
  bool issue(AsyncTransfer transfer);
  void commit(unsigned lane) { ++closed_[lane]; }
  /// Reads, or completes, those in closed groups other than the `kept` youngest; after a fault false.
  bool wait(unsigned lane, std::uint64_t kept, bool only_reads);
  /// Completes them all.
  bool finish();

  /// Oldest first.
  const std::vector<Member>& members() const { return members_; }

 private:
  std::vector<Member> members_;
  std::array<std::uint64_t, kLanes> closed_{};
};

/// Reports an active lane that ends with sources that may still be read: the block's shared memory may be
/// gone by then.
void check_no_bulk_reads_pending(Warp& warp);

}  // namespace lathe::runtime::ptx
