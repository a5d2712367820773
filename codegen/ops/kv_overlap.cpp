#include "codegen/ops/kv_overlap.h"

#include <algorithm>

namespace lathe::codegen {

namespace {

/// Distances that are tried per axis. Two are all that there are for layouts whose steps nest.
constexpr Index kMostTried = 4;

/// Runs without their outermost axes.
struct Inner {
  const KvRuns& runs;
  std::size_t axis;

  Index step() const { return axis < runs.axis_count ? runs.axes[axis].step : 0; }
  Index extent() const {
    Index bytes = runs.bytes;
    for (std::size_t i = axis; i < runs.axis_count; ++i)
      bytes += runs.axes[i].step * (runs.axes[i].count - 1);
    return bytes;
  }
  /// Steps of `step` that it may be moved by: 0, or up to those of its outermost axis.
  Index steps(Index step_now) const { return step() == step_now ? runs.axes[axis].count - 1 : 0; }
  Inner within(Index step_now) const { return {runs, step() == step_now ? axis + 1 : axis}; }
};

Index divide_down(Index a, Index b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

/// `distance`: bytes from the beginning of a to that of b.
bool meet(const Inner& a, const Inner& b, Index distance) {
  if (distance >= a.extent() || -distance >= b.extent()) return false;
  const Index step = std::max(a.step(), b.step());
  if (step == 0) return true;
  const Inner a_inner = a.within(step);
  const Inner b_inner = b.within(step);
  // So many steps must b be ahead of a, so that what is within them meets.
  const Index least = std::max(-a.steps(step), divide_down(-b_inner.extent() - distance, step) + 1);
  const Index most = std::min(b.steps(step), divide_down(a_inner.extent() - distance - 1, step));
  for (Index ahead = least; ahead <= std::min(most, least + kMostTried - 1); ++ahead) {
    if (meet(a_inner, b_inner, distance + ahead * step)) return true;
  }
  return false;
}

}  // namespace

void KvRuns::add(Index step, Index count) {
  if (step == 0 || count <= 1) return;
  std::size_t at = axis_count++;
  for (; at > 0 && axes[at - 1].step < step; --at) axes[at] = axes[at - 1];
  axes[at] = {step, count};
}

bool share_bytes(const KvRuns& a, const KvRuns& b) {
  return meet({a, 0}, {b, 0}, b.first - a.first);
}

}  // namespace lathe::codegen
