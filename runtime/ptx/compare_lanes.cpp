#include "runtime/ptx/compare_lanes.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "runtime/ptx/elementwise_decoding.h"
#include "runtime/ptx/float_values.h"
#include "runtime/ptx/half.h"
#include "runtime/ptx/lanes.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

using comparison::Relation;

// What of a value is compared.

template <class T>
T comparable(T value) {
  return value;
}
float comparable(F16 value) {
  return f16_to_float(value.bits);
}
float comparable(Bf16 value) {
  return bf16_to_float(value.bits);
}

// Readers: what a register holds, and what is compared of it.

template <class T>
struct Plain {
  using Storage = T;
  static auto value(T stored) { return comparable(stored); }
};

/// .ftz
template <class T>
struct Flushed {
  using Storage = T;
  static auto value(T stored) { return comparable(flushed(stored)); }
};

/// The element of a packed register that kShift bits are below of.
template <class Element, unsigned kShift>
struct Part {
  using Storage = std::uint32_t;
  static auto value(std::uint32_t stored) {
    return Element::value(from_bits<typename Element::Storage>(stored >> kShift));
  }
};

template <class Reader, Relation kRelation>
LaneMask compare_lanes(Warp& warp, Slot a, Slot b) {
  const auto* left = warp.lanes<typename Reader::Storage>(a);
  const auto* right = warp.lanes<typename Reader::Storage>(b);
  std::array<bool, kLanes> flags;  // not bits at once: so that compilers use vectors
  for (unsigned lane = 0; lane < kLanes; ++lane)
    flags[lane] = comparison::holds<kRelation>(Reader::value(left[lane]), Reader::value(right[lane]));
  return mask_of(flags);
}

template <class Reader>
CompareLanes comparing(Relation relation) {
  using Value = decltype(Reader::value({}));
  constexpr std::size_t kCount =
      std::is_floating_point_v<Value> ? comparison::kRelationNames.size() : comparison::kIntegerRelations;
  constexpr auto kTable = []<std::size_t... kI>(std::index_sequence<kI...>) {
    return std::array<CompareLanes, kCount>{&compare_lanes<Reader, static_cast<Relation>(kI)>...};
  }(std::make_index_sequence<kCount>{});
  return kTable.at(static_cast<std::size_t>(relation));
}

template <class Element>
LaneComparison of_halves(Relation relation) {
  return {comparing<Part<Element, 0>>(relation), comparing<Part<Element, 16>>(relation)};
}

LaneComparison of_integers(Relation relation, Type type) {
  LaneComparison result;
  const auto choose = [&]<class T>() -> Execute {
    result.first = comparing<Plain<T>>(relation);
    return nullptr;
  };
  for_integer(type, choose);
  for_bits(type, choose);
  return result;
}

}  // namespace

LaneComparison lane_comparison(Relation relation, Type type, bool is_flushed) {
  switch (type) {
    case Type::f16:
      return {is_flushed ? comparing<Flushed<F16>>(relation) : comparing<Plain<F16>>(relation)};
    case Type::bf16:
      return {comparing<Plain<Bf16>>(relation)};
    case Type::f16x2:
      return is_flushed ? of_halves<Flushed<F16>>(relation) : of_halves<Plain<F16>>(relation);
    case Type::bf16x2:
      return of_halves<Plain<Bf16>>(relation);
    case Type::f32:
      return {is_flushed ? comparing<Flushed<float>>(relation) : comparing<Plain<float>>(relation)};
    case Type::f64:
      return {comparing<Plain<double>>(relation)};
    default:
      return of_integers(relation, type);
  }
}

}  // namespace lathe::runtime::ptx
