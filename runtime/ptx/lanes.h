// How an instruction that treats each lane alone is executed: a function of plain values, applied to all
// active lanes.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

#include "runtime/ptx/program.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

/// Bit i is flags[i].
inline LaneMask mask_of(const std::array<bool, kLanes>& flags) {
  LaneMask mask = 0;
  if constexpr (std::endian::native == std::endian::little) {
    // Eight flags are eight bytes; the product gathers their lowest bits in its uppermost byte.
    const auto words = std::bit_cast<std::array<std::uint64_t, kLanes / 8>>(flags);
    for (unsigned i = 0; i < words.size(); ++i)
      mask |= static_cast<LaneMask>(words[i] * 0x0102040810204080 >> 56) << 8 * i;
  } else {
    for (unsigned lane = 0; lane < kLanes; ++lane) mask |= LaneMask{flags[lane]} << lane;
  }
  return mask;
}

/// One source of an elementwise step, read by lane. A bool is a predicate.
template <class T>
class Source {
 public:
  Source(Warp& warp, Slot slot) : values_(warp.lanes<T>(slot)) {}
  T operator[](unsigned lane) const { return values_[lane]; }

 private:
  const T* values_;
};
template <>
class Source<bool> {
 public:
  Source(Warp& warp, Slot slot) : mask_(warp.mask(slot)) {}
  bool operator[](unsigned lane) const { return (mask_ >> lane & 1) != 0; }

 private:
  LaneMask mask_;
};

template <auto kFunction>
struct Elementwise;

/// R(A...) over the inputs in order, into the only output; a bool result goes to a predicate. Step::outputs
/// is 1 and Step::inputs as many as A.
template <class R, class... A, R (*kFunction)(A...)>
struct Elementwise<kFunction> {
  static void execute(Warp& warp, const Step& step) { apply(warp, step, std::index_sequence_for<A...>{}); }

 private:
  template <std::size_t... kI>
  static void apply(Warp& warp, const Step& step, std::index_sequence<kI...>) {
    if constexpr (std::is_same_v<R, bool>) {
      std::array<bool, kLanes> result;  // not bits at once: so that compilers use vectors
      const auto sources = std::make_tuple(Source<A>(warp, step.input(kI))...);
      for (unsigned lane = 0; lane < kLanes; ++lane) result[lane] = kFunction(std::get<kI>(sources)[lane]...);
      warp.set_mask(step.output(0), mask_of(result));
    } else {
      R* out = warp.lanes<R>(step.output(0));
      const auto sources = std::make_tuple(Source<A>(warp, step.input(kI))...);
      const LaneMask active = warp.active();
      if (active == kAllLanes) {
        for (unsigned lane = 0; lane < kLanes; ++lane) out[lane] = kFunction(std::get<kI>(sources)[lane]...);
      } else {
        for (unsigned lane = 0; lane < kLanes; ++lane) {
          if ((active >> lane & 1) != 0) out[lane] = kFunction(std::get<kI>(sources)[lane]...);
        }
      }
    }
  }
};

/// `elementwise<add<float>>` is an Execute. The function must be pure and total: inactive lanes of a bool
/// function are computed too, and thrown away.
template <auto kFunction>
constexpr Execute elementwise = &Elementwise<kFunction>::execute;

}  // namespace lathe::runtime::ptx
