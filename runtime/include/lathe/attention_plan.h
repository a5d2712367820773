// AttentionPlan: which block of a launch does what, made on the host from the requests' lengths.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <lathe/attention.h>
#include <lathe/error.h>
#include <lathe/export.h>
#include <lathe/kernel.h>

namespace lathe {

/// The batch, as the host knows it. All lists have one entry per request, but the indptrs, which have one
/// more.
struct AttentionBatch {
  /// Query token at which each request begins, and the end of the last: [requests + 1].
  std::span<const std::int64_t> query_indptr{};
  std::span<const std::int64_t> kv_lengths{};
  /// Ragged: key token at which each request begins. Paged: place in page_indices of its first page. May have
  /// one entry more. Contiguous: left out.
  std::span<const std::int64_t> kv_indptr{};
  std::int64_t window_left = -1;  ///< for specs with a window: apply() puts it into the Args
};

/// What a batch may be, at most: of launches that are captured once for many batches.
struct AttentionLimits {
  std::int64_t requests = 0;
  std::int64_t queries = 0;          ///< tokens of all requests together
  std::int64_t keys = 0;             ///< of one request
  std::int64_t request_queries = 0;  ///< of one request; 0: queries
  std::int64_t all_keys = 0;         ///< of all requests together; 0: requests * keys
};

/// Places for the lists of a plan. Plans of the same room have their lists in the same places and ask for the
/// same workspace, whatever their batches: the places that are left do nothing.
struct AttentionRoom {
  std::int64_t requests = 0;
  std::int64_t work_items = 0;
  std::int64_t merge_items = 0;
  std::int64_t splits = 0;

  friend bool operator==(const AttentionRoom&, const AttentionRoom&) = default;
};

struct AttentionPlanOptions {
  /// Keys per split: the same for every batch, so that a request's result does not depend on what it is
  /// batched with. 0: chosen so that the device is filled. A multiple of 64.
  std::int64_t fixed_split = 0;
  bool may_split = true;  ///< false: no request is split, and no workspace is needed
  /// For later plans of the same launch (CUDA graphs), see AttentionPlan::room_for. Unset: just what this
  /// batch needs.
  std::optional<AttentionRoom> room{};
};

/// Immutable, made by value on the host in microseconds, deterministic: the same batch, spec and device give
/// the same plan. Copy `bytes` to the device, call `apply`, launch. A captured launch is given another plan
/// by copying its bytes to the same place, where both are of the same room: `apply` sets the same arguments.
class LATHE_API AttentionPlan {
 public:
  /// Errors: invalid_argument, naming the request, or what there is too little room for. Reads no device
  /// memory and waits for nothing.
  static Result<AttentionPlan> make(const KernelFor<AttentionSpec>& kernel, const AttentionBatch& batch,
                                    const AttentionPlanOptions& options = {});

  /// Room for the plan of every batch within the limits, made with these options (whose own room is not
  /// looked at). Errors: invalid_argument, naming the limit.
  static Result<AttentionRoom> room_for(const KernelFor<AttentionSpec>& kernel, const AttentionLimits& limits,
                                        const AttentionPlanOptions& options = {});

  /// What the device needs a copy of, aligned to 16 bytes.
  std::span<const std::byte> bytes() const { return bytes_; }
  /// Exact, or what the room needs; 0 when nothing is split.
  std::size_t workspace_bytes() const { return workspace_bytes_; }
  std::int64_t work_items() const { return work_items_; }
  std::int64_t merge_items() const { return merge_items_; }
  std::int64_t splits() const { return splits_; }  ///< places for partial results of all requests

  /// Sets the members of `args` that come from a plan. `device_bytes` is where the copy of bytes() lies.
  void apply(AttentionArgs& args, const void* device_bytes) const;

 private:
  AttentionPlan() = default;

  std::vector<std::byte> bytes_;
  std::size_t merge_offset_ = 0;
  std::size_t request_offset_ = 0;
  std::size_t workspace_bytes_ = 0;
  std::int64_t work_items_ = 0;
  std::int64_t merge_items_ = 0;
  std::int64_t splits_ = 0;
  std::int64_t tile_rows_ = 0;
  std::int64_t window_left_ = -1;
};

}  // namespace lathe
