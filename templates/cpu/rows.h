// Parts of rows, a vector at a time; the last may be less than one.
#pragma once

#include "cpu/element.h"

template <class A, class B>
constexpr bool kIsSame = false;
template <class A>
constexpr bool kIsSame<A, A> = true;

/// The next of `count` elements; those that are missing are 0.
template <class T>
inline Floats load_up_to(int count, const typename T::Storage* from) {
  return count < kLanes ? T::load_tail(from, count) : T::load(from);
}

/// Values in X's lane order, as many as `count` says, multiplied by `scale` if To is fp8. `streams`: past the
/// caches, where the address allows it.
template <class X, class To>
inline void store_up_to(int count, typename To::Storage* to, Floats values, float scale, bool streams) {
  if constexpr (sizeof(typename To::Storage) == 1) values *= scale;
  values = in_order_of<To, X>(values);
  if (count < kLanes) {
    To::store_tail(to, values, count);
  } else if (streams && reinterpret_cast<unsigned long>(to) % To::kVectorBytes == 0) {
    To::store_streaming(to, values);
  } else {
    To::store(to, values);
  }
}

/// Fetches a vector that lies some rows behind, so that it is on its way while this one is worked on:
/// without, arithmetic waits for memory, then memory for arithmetic. No address is wrong.
template <class T>
inline void prefetch_behind(const typename T::Storage* from) {
  constexpr int kDistance = 2048;
  constexpr int kLineBytes = 64;
  for (int i = 0; i < T::kVectorBytes; i += kLineBytes) {
    __builtin_prefetch(reinterpret_cast<const char*>(from) + kDistance + i);
  }
}

/// kCount elements, to the same type bit by bit. From a row to itself nothing is done.
template <class X, class To, int kCount>
inline void copy_row(const typename X::Storage* from, typename To::Storage* to, float scale, bool streams) {
  if (kIsSame<To, X> && static_cast<const void*>(from) == static_cast<const void*>(to)) return;
  for (int at = 0; at < kCount; at += kLanes) {
    store_up_to<X, To>(kCount - at, to + at, load_up_to<X>(kCount - at, from + at), scale, streams);
  }
}
