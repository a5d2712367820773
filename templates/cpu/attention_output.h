// Results of attention: final rows of o and lse, and partial ones in the workspace.
#pragma once

#include "cpu/attention_panels.h"
#include "cpu/online_softmax.h"
#include "user/attention_hooks.h"

/// Partial results of one slot and key-value head: kTileRows rows of kValueDim floats, in memory's order,
/// each divided by its sum of weights; then the logarithms of those sums, base 2.
struct Partial {
  float* rows;
  float* lse;
};

template <class Spec>
inline Partial partial_at(const lathe::AttentionArgs& args, int slot, int kv_head) {
  const lathe::Index number = static_cast<lathe::Index>(slot) * Spec::kKvHeads + kv_head;
  float* const rows = static_cast<float*>(args.workspace) + number * Spec::kTileRows * (Spec::kValueDim + 1);
  return {rows, rows + Spec::kTileRows * Spec::kValueDim};
}

/// Values in the order of X's lanes, the first being element `dim`, through the hook.
template <class X, int kCount>
inline Floats put_through_output_hook(Floats values, int dim, const AttentionPlace& at, const void* data) {
  values = in_order_of<F32, X>(values);
  for (int i = 0; i < kCount; ++i) values[i] = output_hook(values[i], dim + i, at, data);
  return in_order_of<X, F32>(values);
}

/// Writes `sums`, in the order of Query's lanes, times `factor`, and lse. Adds the sink.
template <class Spec>
inline void write_row(const lathe::AttentionArgs& args, const lathe::AttentionRequest& request,
                      const AttentionPlace& row, const float* sums, SoftmaxSum softmax) {
  using X = typename Spec::Query;
  using lathe::Index;
  float factor = 1.0f;
  if constexpr (Spec::kHasSinks) factor = softmax.add(args.sinks[row.query_head] * kLog2E);
  factor *= softmax.reciprocal();
  if constexpr (Spec::kKvScale != AttentionScale::none)
    factor *= args.v_scale[Spec::kKvScale == AttentionScale::head ? row.kv_head : 0];
  const Index token = request.query_begin + row.query;
  auto* const o = static_cast<typename X::Storage*>(args.o) + token * args.o_token_stride +
                  row.query_head * args.o_head_stride;
  for_each_vector<Spec::kValueDim>([&](int at, auto count) {
    constexpr int kCount = decltype(count)::value;
    Floats values;
    __builtin_memcpy(&values, sums + at, sizeof values);
    values *= factor;
    if constexpr (Spec::kHasOutputHook)
      values = put_through_output_hook<X, kCount>(values, at, row, args.hook_data);
    // Scales, sinks and hooks may make NaNs of any bits.
    values = plain_for<X, F32>(values);
    if constexpr (kCount == kLanes) {
      X::store(o + at, values);
    } else {
      X::store_tail(o + at, values, kCount);
    }
  });
  if constexpr (Spec::kStoreLse) args.lse[token * Spec::kQueryHeads + row.query_head] = softmax.log2();
}

/// Writes row i of a partial result.
template <class Spec>
inline void write_partial(const Partial& partial, int i, const float* sums, const SoftmaxSum& softmax) {
  using X = typename Spec::Query;
  const float factor = softmax.reciprocal();
  for_each_vector<Spec::kValueDim>([&](int at, auto count) {
    Floats values;
    __builtin_memcpy(&values, sums + at, sizeof values);
    values = in_order_of<F32, X>(values * factor);
    __builtin_memcpy(partial.rows + i * Spec::kValueDim + at, &values,
                     decltype(count)::value * sizeof(float));
  });
  partial.lse[i] = softmax.log2();
}
