// What the bulk operations cp.async.bulk, cp.reduce.async.bulk and their tensor forms have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "runtime/ptx/address_operand.h"
#include "runtime/ptx/async_transfer.h"
#include "runtime/ptx/decoding.h"

namespace lathe::runtime::ptx {

/// How a thread learns that an operation is done.
struct CompletionOperands {
  bool by_mbarrier = false;  ///< else by a bulk group
  AddressOperand mbarrier;
  std::optional<std::size_t> mask;  ///< input: the blocks of the cluster that a multicast goes to
};

/// Between which spaces an operation goes; Space::generic: it is none that there is.
struct BulkDirection {
  Space to = Space::generic;
  Space from = Space::generic;

  bool is_load() const { return from == Space::global; }
  bool is_store() const { return to == Space::global; }
};

/// Takes `.shared::cluster.global` and the like with the completion that belongs to it. Fails if there is
/// none.
BulkDirection take_direction(Decoding& decoding);

/// Takes `.multicast::cluster` and `.L2::cache_hint` and the operands from `next` on, which must be all that
/// are left: the mbarrier where there is one, the mask, and the cache policy.
CompletionOperands take_completion(Decoding& decoding, const BulkDirection& direction, std::size_t next);

/// Takes the operation of a reduction, without the type.
AtomicOperation take_reduction(Decoding& decoding);

/// Which reductions there are into global memory, and into the shared memory of a cluster.
bool is_global_reduction(AtomicOperation operation, Type type);
bool is_shared_reduction(AtomicOperation operation, Type type);

/// Issues a transfer for one lane, by a multicast to all blocks of the mask. After a fault false.
bool issue(Warp& warp, const Step& step, const CompletionOperands& completion, AsyncTransfer transfer);

}  // namespace lathe::runtime::ptx
