// Elements that are read as one type and written as another, some at a time, in float between.
#pragma once

#include "common/kv_facts.h"
#include "cpu/element.h"

template <KvType>
struct ElementOf;
template <>
struct ElementOf<KvType::f32> {
  using Type = F32;
};
template <>
struct ElementOf<KvType::f16> {
  using Type = F16;
};
template <>
struct ElementOf<KvType::bf16> {
  using Type = Bf16;
};
template <>
struct ElementOf<KvType::e4m3> {
  using Type = E4m3;
};
template <>
struct ElementOf<KvType::e5m2> {
  using Type = E5m2;
};

/// What a scale brings the largest magnitude to; only fp8 has written scales.
template <class Element>
constexpr float largest_of() {
  if constexpr (sizeof(typename Element::Storage) == 1) {
    return Element::kLargest;
  } else {
    return 1.0f;
  }
}

/// `count` elements from `from`, in order.
template <class Element>
inline void widen_elements(const char* from, int count, float* to) {
  using Storage = typename Element::Storage;
  const auto* elements = reinterpret_cast<const Storage*>(from);
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Floats values = in_order_of<F32, Element>(Element::load(elements + i));
    __builtin_memcpy(to + i, &values, sizeof values);
  }
  if (i < count) {
    const Floats values = in_order_of<F32, Element>(Element::load_tail(elements + i, count - i));
    copy_elements(to + i, reinterpret_cast<const float*>(&values), count - i);
  }
}

template <class Element>
inline void narrow_elements(char* to, int count, const float* from) {
  using Storage = typename Element::Storage;
  auto* elements = reinterpret_cast<Storage*>(to);
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    Floats values;
    __builtin_memcpy(&values, from + i, sizeof values);
    Element::store(elements + i, in_order_of<Element, F32>(with_plain_nans(values)));
  }
  if (i < count) {
    Floats values = 0.0f;
    copy_elements(reinterpret_cast<float*>(&values), from + i, count - i);
    Element::store_tail(elements + i, in_order_of<Element, F32>(with_plain_nans(values)), count - i);
  }
}

/// The largest magnitude; numbers only.
inline float amax_of(const float* values, int count) {
  float largest = 0.0f;
  for (int i = 0; i < count; ++i) {
    const float magnitude = __builtin_fabsf(values[i]);
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest;
}
