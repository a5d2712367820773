#include <lathe/attention_plan.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "codegen/ops/attention.h"
#include "runtime/base/try.h"
#include "runtime/kernel_state.h"
#include "runtime/plan/attention_room.h"
#include "runtime/plan/attention_work.h"

namespace lathe {

namespace {

static_assert(alignof(AttentionWork) == 4 && alignof(AttentionMerge) == 4 && alignof(AttentionRequest) == 8);

template <class T>
void append(std::vector<std::byte>& bytes, const std::vector<T>& items) {
  if (items.empty()) return;
  const std::size_t at = bytes.size();
  bytes.resize(at + items.size() * sizeof(T));
  std::memcpy(bytes.data() + at, items.data(), items.size() * sizeof(T));
}

const AttentionSpec& spec_of(const Kernel::State& state) {
  return std::get<AttentionSpec>(state.spec);
}

runtime::AttentionTiling tiling_of(const Kernel::State& state) {
  return {.tile_rows = state.entries.front().launch.work_per_block,
          .processors = state.executor->device().processors};
}

}  // namespace

Result<AttentionRoom> AttentionPlan::room_for(const KernelFor<AttentionSpec>& kernel,
                                              const AttentionLimits& limits,
                                              const AttentionPlanOptions& options) {
  const Kernel::State& state = kernel.state();
  return runtime::attention_room(spec_of(state), tiling_of(state), limits, options);
}

Result<AttentionPlan> AttentionPlan::make(const KernelFor<AttentionSpec>& kernel, const AttentionBatch& batch,
                                          const AttentionPlanOptions& options) {
  const Kernel::State& state = kernel.state();
  const AttentionSpec& spec = spec_of(state);
  const runtime::AttentionTiling tiling = tiling_of(state);
  LATHE_TRY(runtime::AttentionWorkList list, runtime::list_attention_work(spec, tiling, batch, options));
  if (options.room) {
    LATHE_CHECK(runtime::check_room(spec, runtime::room_of(list), *options.room));
    // Places that do nothing now, and may in a later plan.
    list.work.resize(static_cast<std::size_t>(options.room->work_items));
    list.merges.resize(static_cast<std::size_t>(options.room->merge_items));
    list.requests.resize(static_cast<std::size_t>(options.room->requests));
    list.slots = options.room->splits;
  }
  AttentionPlan plan;
  plan.work_items_ = static_cast<std::int64_t>(list.work.size());
  plan.merge_items_ = static_cast<std::int64_t>(list.merges.size());
  plan.splits_ = list.slots;
  plan.tile_rows_ = tiling.tile_rows;
  if (spec.has_window) plan.window_left_ = batch.window_left;
  plan.workspace_bytes_ =
      static_cast<std::size_t>(list.slots * codegen::partial_bytes(spec, tiling.tile_rows));
  // The requests last: however many there are, plans with as many items have those in the same places.
  append(plan.bytes_, list.work);
  plan.merge_offset_ = plan.bytes_.size();
  append(plan.bytes_, list.merges);
  plan.bytes_.resize((plan.bytes_.size() + 15) / 16 * 16);
  plan.request_offset_ = plan.bytes_.size();
  append(plan.bytes_, list.requests);
  return plan;
}

void AttentionPlan::apply(AttentionArgs& args, const void* device_bytes) const {
  const auto* base = static_cast<const std::byte*>(device_bytes);
  args.requests = reinterpret_cast<const AttentionRequest*>(base + request_offset_);
  args.work = reinterpret_cast<const AttentionWork*>(base);
  args.merges = reinterpret_cast<const AttentionMerge*>(base + merge_offset_);
  args.work_items = work_items_;
  args.merge_items = merge_items_;
  args.slots = splits_;
  args.tile_rows = tile_rows_;
  if (window_left_ >= 0) args.window_left = window_left_;
}

}  // namespace lathe
