// AsyncCopies: the copies of cp.async that the lanes of a warp have issued and not waited for yet.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/ptx/place.h"
#include "runtime/ptx/program.h"

namespace lathe::runtime::ptx {

class Warp;

/// One lane's copy into shared memory.
struct AsyncCopy {
  Place to;
  Place from;
  std::uint32_t bytes = 0;         ///< written
  std::uint32_t source_bytes = 0;  ///< read; the rest is zeros
  std::uint32_t instruction = 0;   ///< index into Program::origins
  std::uint64_t group = 0;         ///< of its lane, counted from 0
};

/// Groups are each lane's own. The device may do a copy at any time between its issue and the end of the wait
/// that covers it; here source and destination are touched as late as that allows, and until then the
/// destination is undefined, so that a kernel which forgets to wait does not work by luck.
class AsyncCopies {
 public:
  /// Joins the lane's open group. REQUIRES: places and sizes were checked.
  void issue(unsigned lane, AsyncCopy copy);
  /// Closes the lane's open group, which may be empty.
  void commit(unsigned lane);

  /// Issued and not done, oldest first.
  std::span<const AsyncCopy> pending(unsigned lane) const { return lanes_[lane].copies; }
  /// Of these the ones in closed groups other than the `kept` youngest.
  std::span<const AsyncCopy> due(unsigned lane, std::uint64_t kept) const;
  /// How many it has issued so far.
  std::uint64_t issued(unsigned lane) const { return lanes_[lane].done + lanes_[lane].copies.size(); }
  /// How many of the first `issued` are pending.
  std::size_t pending_of(unsigned lane, std::uint64_t issued) const {
    return issued > lanes_[lane].done ? static_cast<std::size_t>(issued - lanes_[lane].done) : 0;
  }
  /// An mbarrier waits for what was issued so far: the lane need not.
  void track(unsigned lane) { lanes_[lane].tracked = issued(lane); }
  /// Of those pending the ones that no mbarrier waits for.
  std::span<const AsyncCopy> untracked(unsigned lane) const {
    return pending(lane).subspan(pending_of(lane, lanes_[lane].tracked));
  }
  /// Does the oldest copies.
  void complete(unsigned lane, std::size_t count);

 private:
  struct Lane {
    std::vector<AsyncCopy> copies;
    std::uint64_t groups = 0;   ///< closed so far
    std::uint64_t done = 0;     ///< copies
    std::uint64_t tracked = 0;  ///< of those issued, the first so many
  };
  std::array<Lane, kLanes> lanes_;
};

/// Does the oldest copies of a lane; reports a race, and returns false then.
bool complete_copies(Warp& warp, unsigned lane, std::size_t count);

/// A pending copy of the place's block that will write one of the bytes, or nullptr.
const AsyncCopy* pending_copy_to(const Place& place, std::size_t bytes);

/// Reports an active lane that has copies pending as it ends: nobody can know when they are done.
void check_no_copies_pending(Warp& warp);

}  // namespace lathe::runtime::ptx
