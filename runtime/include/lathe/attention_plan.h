// AttentionPlan: which block of a launch does what, made on the host from the requests' lengths.
#pragma once

#include <cstddef>
#include <cstdint>
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

struct AttentionPlanOptions {
  /// Keys per split: the same for every batch, so that a request's result does not depend on what it is
  /// batched with. 0: chosen so that the device is filled. A multiple of 64.
  std::int64_t fixed_split = 0;
  bool may_split = true;  ///< false: no request is split, and no workspace is needed
  /// Room for later plans of the same launch (CUDA graphs): at least as many work and merge items as this,
  /// the rest doing nothing. 0: just what this batch needs.
  std::int64_t min_work_items = 0;
  std::int64_t min_merge_items = 0;
};

/// Immutable, made by value on the host in microseconds, deterministic: the same batch, spec and device give
/// the same plan. Copy `bytes` to the device, call `apply`, launch. A captured launch may be given another
/// plan by copying its bytes to the same place, if it has as many items and needs no more workspace.
class LATHE_API AttentionPlan {
 public:
  /// Errors: invalid_argument, naming the request. Reads no device memory and waits for nothing.
  static Result<AttentionPlan> make(const KernelFor<AttentionSpec>& kernel, const AttentionBatch& batch,
                                    const AttentionPlanOptions& options = {});

  /// What the device needs a copy of, aligned to 16 bytes.
  std::span<const std::byte> bytes() const { return bytes_; }
  /// Exact; 0 when nothing is split.
  std::size_t workspace_bytes() const { return workspace_bytes_; }
  std::int64_t work_items() const { return work_items_; }
  std::int64_t merge_items() const { return merge_items_; }
  std::int64_t splits() const { return splits_; }  ///< partial results of all requests together

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
