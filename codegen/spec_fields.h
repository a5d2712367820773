// The field lists of all specs.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>
#include <variant>

#include <lathe/specs.h>

#include "codegen/field.h"
#include "codegen/ops/attention_fields.h"
#include "codegen/ops/attention_merge_fields.h"
#include "codegen/ops/kv_move_fields.h"
#include "codegen/ops/linear_cross_entropy_fields.h"
#include "codegen/ops/rms_norm_backward_fields.h"
#include "codegen/ops/rms_norm_fields.h"
#include "codegen/ops/rope_fields.h"

namespace lathe::codegen {

/// Calls `visit(std::type_identity<Spec>{})` for each alternative of KernelSpec, in order.
template <class Visit>
constexpr void for_each_spec(Visit&& visit) {
  [&]<std::size_t... i>(std::index_sequence<i...>) {
    (visit(std::type_identity<std::variant_alternative_t<i, KernelSpec>>{}), ...);
  }(std::make_index_sequence<std::variant_size_v<KernelSpec>>{});
}

namespace detail {
consteval bool every_spec_lists_every_member() {
  bool all = true;
  for_each_spec([&]<class Spec>(std::type_identity<Spec>) { all = all && kListsEveryMember<Spec>; });
  return all;
}
}  // namespace detail

static_assert(detail::every_spec_lists_every_member(),
              "a member of a spec is missing from its list in codegen/ops/<op>_fields.h");

}  // namespace lathe::codegen
