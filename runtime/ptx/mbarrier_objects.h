// The mbarrier objects in a block's shared memory, and the asynchronous operations that will signal them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <variant>
#include <vector>

#include "runtime/ptx/async_transfer.h"
#include "runtime/ptx/mbarrier.h"
#include "runtime/ptx/place.h"

namespace lathe::runtime::ptx {

class Block;

/// Arrives when the first `copies` cp.async that the thread issued are done.
struct CopiesArrival {
  Issuer issuer;
  std::uint64_t copies = 0;
};

/// A transfer tells the mbarrier of its bytes when it is done.
using PendingSignal = std::variant<AsyncTransfer, CopiesArrival>;

struct MbarrierObject {
  Mbarrier state;
  std::vector<PendingSignal> pending;  ///< oldest first
};

/// Kept beside the memory, by offset in it.
using MbarrierObjects = std::map<std::size_t, MbarrierObject>;

// After a fault these are nullptr or false. Places are those of the 8 bytes of an mbarrier.

/// Makes the bytes an mbarrier.
bool add_mbarrier(Warp& warp, unsigned lane, const Place& place, std::uint64_t arrivals);
bool remove_mbarrier(Warp& warp, unsigned lane, const Place& place);
MbarrierObject* live_mbarrier(Warp& warp, unsigned lane, const Place& place);

/// Reports the rule that an operation on it would have broken; true if it is empty: the mbarrier has changed.
bool check_rule(Warp& warp, unsigned lane, std::string_view rule, const Place& place);

/// Issues what will signal the mbarrier once it is done, which is when somebody needs it.
bool issue(AsyncTransfer transfer, const Place& mbarrier);
bool issue(const CopiesArrival& arrival, const Place& mbarrier);

/// For a wait that would fail: does what is pending until the phase is over; with a random schedule only some
/// of it.
bool perform_pending(const Place& mbarrier, MbarrierObject& object, const AwaitedPhase& phase);

/// When all threads of the cluster have ended. What nobody waited for is a fault if definedness is checked,
/// and done if not.
bool finish_pending(Block& block);

}  // namespace lathe::runtime::ptx
