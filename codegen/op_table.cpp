#include <array>
#include <cstdlib>

#include "codegen/op.h"
#include "codegen/ops/rms_norm.h"

namespace lathe::codegen {

namespace {

/// In the order of KernelSpec's alternatives.
constexpr std::array<Op, std::variant_size_v<KernelSpec>> kOps{kRmsNormOp};

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
