#include <array>
#include <cstddef>
#include <type_traits>

#include "codegen/op.h"
#include "codegen/ops/attention.h"
#include "codegen/ops/attention_merge.h"
#include "codegen/ops/kv_move.h"
#include "codegen/ops/linear_cross_entropy.h"
#include "codegen/ops/rms_norm.h"
#include "codegen/ops/rms_norm_backward.h"
#include "codegen/ops/rope.h"
#include "codegen/spec_fields.h"

namespace lathe::codegen {

namespace {

/// In the order of KernelSpec's alternatives.
constexpr std::array kOps{kRmsNormOp,  kRopeOp,      kAttentionOp,       kAttentionMergeOp,
                          kKvGatherOp, kKvScatterOp, kRmsNormBackwardOp, kLinearCrossEntropyOp};

consteval bool names_agree() {
  std::size_t index = 0;
  bool agree = kOps.size() == std::variant_size_v<KernelSpec>;
  for_each_spec([&]<class Spec>(std::type_identity<Spec>) {
    agree = agree && kOps[index++].name == SpecFields<Spec>::op;
  });
  return agree;
}
static_assert(names_agree(), "the rows of the op table are in the order of KernelSpec's alternatives");

}  // namespace

std::span<const Op> all_ops() {
  return kOps;
}

const Op& op_of(const KernelSpec& spec) {
  return kOps[spec.index()];
}

const Op* find_op(std::string_view name) {
  for (const Op& op : kOps) {
    if (op.name == name) return &op;
  }
  return nullptr;
}

}  // namespace lathe::codegen
