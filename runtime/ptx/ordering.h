// Ordering: what an access to memory says about the accesses of other threads.
#pragma once

#include <cstdint>

namespace lathe::runtime::ptx {

/// All but weak ones are strong. `.volatile` orders as `.relaxed` does.
enum class Ordering : std::uint8_t { weak, relaxed, acquire, release, acq_rel, volatile_ };

constexpr bool acquires(Ordering ordering) {
  return ordering == Ordering::acquire || ordering == Ordering::acq_rel;
}
constexpr bool releases(Ordering ordering) {
  return ordering == Ordering::release || ordering == Ordering::acq_rel;
}

}  // namespace lathe::runtime::ptx
