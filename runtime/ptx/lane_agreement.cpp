#include "runtime/ptx/lane_agreement.h"

#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "runtime/ptx/race_report.h"

namespace lathe::runtime::ptx {

namespace {

/// The last of the active lanes that stored to one of the bytes: the one whose value they have.
unsigned last_writer(Warp& warp, const std::byte* begin, unsigned bytes, unsigned lane_bytes,
                     const std::array<Place, kLanes>& places) {
  for (unsigned lane = kLanes; lane-- > 0;) {
    if ((warp.active() >> lane & 1) == 0) continue;
    const std::byte* its = places[lane].bytes;
    if (its < begin + bytes && begin < its + lane_bytes) return lane;
  }
  return 0;
}

}  // namespace

void check_lanes_agree(Warp& warp, const Step& step, unsigned elements, unsigned element_bytes,
                       const std::array<Place, kLanes>& places) {
  for (LaneMask left = warp.active(); left != 0; left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    for (unsigned i = 0; i < elements; ++i) {
      const std::uint64_t value = warp.value(step.input(1 + i), lane);
      const std::byte* at = places[lane].bytes + std::size_t{i} * element_bytes;
      if (std::memcmp(at, &value, element_bytes) == 0) continue;
      const unsigned other = last_writer(warp, at, element_bytes, elements * element_bytes, places);
      return warp.fault(
          FaultKind::race,
          fmt::format("lanes {} and {} of the warp store different values to the same {} bytes of {},", lane,
                      other, element_bytes, describe_place(warp, places[lane])),
          lane);
    }
  }
}

}  // namespace lathe::runtime::ptx
