// Elementwise instructions that have a predicate beside their result: a carry, or a test of the result.
#pragma once

#include <cstddef>
#include <tuple>
#include <utility>

#include "runtime/ptx/flagged.h"
#include "runtime/ptx/lanes.h"
#include "runtime/ptx/program.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

template <auto kFunction>
struct ElementwiseFlag;

/// Flagged<T>(A...) over the inputs in order; the value goes to the first output, the flag to the second.
template <class T, class... A, Flagged<T> (*kFunction)(A...)>
struct ElementwiseFlag<kFunction> {
  static void execute(Warp& warp, const Step& step) { apply(warp, step, std::index_sequence_for<A...>{}); }

 private:
  template <std::size_t... kI>
  static void apply(Warp& warp, const Step& step, std::index_sequence<kI...>) {
    T* out = warp.lanes<T>(step.output(0));
    const auto sources = std::make_tuple(Source<A>(warp, step.input(kI))...);
    const LaneMask active = warp.active();
    LaneMask flags = 0;
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      if ((active >> lane & 1) == 0) continue;
      const Flagged<T> result = kFunction(std::get<kI>(sources)[lane]...);
      out[lane] = result.value;
      flags |= static_cast<LaneMask>(result.flag) << lane;
    }
    warp.set_mask(step.output(1), flags);
  }
};

template <auto kFunction>
constexpr Execute elementwise_flag = &ElementwiseFlag<kFunction>::execute;

}  // namespace lathe::runtime::ptx
