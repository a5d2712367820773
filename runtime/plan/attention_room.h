// How much room the plans of an attention launch take at most, so that it can be captured once. Pure.
#pragma once

#include <lathe/attention.h>
#include <lathe/attention_plan.h>
#include <lathe/error.h>

#include "runtime/plan/attention_work.h"

namespace lathe::runtime {

/// What list_attention_work gives at most for batches within the limits. REQUIRES: a normalized spec. Errors:
/// invalid_argument, naming the limit.
Result<AttentionRoom> attention_room(const AttentionSpec& spec, const AttentionTiling& tiling,
                                     const AttentionLimits& limits, const AttentionPlanOptions& options);

AttentionRoom room_of(const AttentionWorkList& list);

/// Whether what a batch needs fits. Errors: invalid_argument, naming what does not.
Result<void> check_room(const AttentionSpec& spec, const AttentionRoom& needed, const AttentionRoom& room);

}  // namespace lathe::runtime
