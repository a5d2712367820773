// KernelSpec: what is fixed at compile time, one struct per op.
#pragma once

#include <concepts>
#include <type_traits>
#include <variant>

#include <lathe/attention.h>
#include <lathe/attention_merge.h>
#include <lathe/kv_move.h>
#include <lathe/linear_cross_entropy.h>
#include <lathe/rms_norm.h>
#include <lathe/rms_norm_backward.h>
#include <lathe/rope.h>

namespace lathe {

using KernelSpec = std::variant<RmsNormSpec, RopeSpec, AttentionSpec, AttentionMergeSpec, KvGatherSpec,
                                KvScatterSpec, RmsNormBackwardSpec, LinearCrossEntropySpec>;

namespace detail {
template <class T, class Variant>
struct IsAlternative : std::false_type {};
template <class T, class... Ts>
struct IsAlternative<T, std::variant<Ts...>> : std::disjunction<std::is_same<T, Ts>...> {};
}  // namespace detail

/// One of the structs in KernelSpec.
template <class T>
concept SpecType = detail::IsAlternative<T, KernelSpec>::value;

}  // namespace lathe
