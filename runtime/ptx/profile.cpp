#include "runtime/ptx/profile.h"

#include <algorithm>
#include <bit>
#include <vector>

namespace lathe::runtime::ptx {

namespace {

constexpr std::size_t kSectorBytes = 32;
constexpr std::size_t kBanks = 32;
constexpr std::size_t kWordBytes = 4;

std::uint64_t address_of(const Place& place) {
  return reinterpret_cast<std::uintptr_t>(place.bytes);
}

template <class Visit>
void for_each_lane(LaneMask lanes, Visit visit) {
  for (LaneMask left = lanes; left != 0; left &= left - 1)
    visit(static_cast<unsigned>(std::countr_zero(left)));
}

/// Different values of `first / unit` to `last / unit` of all lanes' bytes.
std::vector<std::uint64_t> units_of(unsigned bytes, std::size_t unit, LaneMask lanes,
                                    const std::array<Place, kLanes>& places, bool by_offset) {
  std::vector<std::uint64_t> units;
  for_each_lane(lanes, [&](unsigned lane) {
    const std::uint64_t first = by_offset ? places[lane].offset : address_of(places[lane]);
    for (std::uint64_t i = first / unit; i <= (first + bytes - 1) / unit; ++i) units.push_back(i);
  });
  std::sort(units.begin(), units.end());
  units.erase(std::unique(units.begin(), units.end()), units.end());
  return units;
}

/// The most words that one bank has to give.
std::size_t passes_of(const std::vector<std::uint64_t>& words) {
  std::array<std::size_t, kBanks> count{};
  for (const std::uint64_t word : words) ++count[word % kBanks];
  return *std::max_element(count.begin(), count.end());
}

LaneMask lanes_in(Space space, LaneMask lanes, const std::array<Place, kLanes>& places) {
  LaneMask found = 0;
  for_each_lane(lanes, [&](unsigned lane) {
    if (places[lane].space == space) found |= LaneMask{1} << lane;
  });
  return found;
}

}  // namespace

std::size_t TouchedBytes::touch(const GlobalMemory::Allocation& allocation, const std::byte* begin,
                                std::size_t bytes) {
  const auto offset = static_cast<std::size_t>(begin - allocation.begin);
  const std::lock_guard lock(mutex_);
  auto [at, is_new] = touched_.try_emplace(&allocation);
  if (is_new) at->second = Shadow(allocation.bytes);
  std::size_t count = 0;
  for (std::size_t i = offset; i < offset + bytes; ++i) {
    if (at->second.is_defined(i, 1)) continue;
    at->second.define(i, 1);
    ++count;
  }
  return count;
}

std::size_t sectors_of(unsigned bytes, LaneMask lanes, const std::array<Place, kLanes>& places) {
  return units_of(bytes, kSectorBytes, lanes, places, false).size();
}

Wavefronts wavefronts_of(unsigned bytes, LaneMask lanes, const std::array<Place, kLanes>& places) {
  // So many lanes that they can take a word from each bank.
  const unsigned together =
      static_cast<unsigned>(std::max<std::size_t>(1, kBanks * kWordBytes / std::max(bytes, 4U)));
  Wavefronts sum;
  for (unsigned first = 0; first < kLanes; first += together) {
    const LaneMask part = lanes & (together == kLanes ? kAllLanes : ((LaneMask{1} << together) - 1) << first);
    if (part == 0) continue;
    const auto words = units_of(bytes, kWordBytes, part, places, true);
    sum.needed += passes_of(words);
    sum.ideal += (words.size() + kBanks - 1) / kBanks;
  }
  return sum;
}

void Profile::count(const Step& step, LaneMask active) {
  ++steps_[static_cast<std::size_t>(step.step_class)];
  lane_steps_ += static_cast<std::uint64_t>(std::popcount(active));
}

void Profile::count(const Access& access, LaneMask lanes, const std::array<Place, kLanes>& places) {
  // A generic access may go to several spaces.
  if (const LaneMask part = lanes_in(Space::global, lanes, places)) count_global(access, part, places);
  if (const LaneMask part = lanes_in(Space::shared, lanes, places)) count_shared(access, part, places);
}

void Profile::count_global(const Access& access, LaneMask lanes, const std::array<Place, kLanes>& places) {
  const auto bytes = static_cast<std::uint64_t>(std::popcount(lanes)) * access.bytes;
  if (access.kind != AccessKind::write) global_.read_bytes += bytes;
  if (access.kind != AccessKind::read) global_.written_bytes += bytes;
  ++global_.requests;
  global_.sectors += sectors_of(access.bytes, lanes, places);
  const std::size_t distinct = units_of(access.bytes, 1, lanes, places, false).size();
  global_.ideal_sectors += (distinct + kSectorBytes - 1) / kSectorBytes;
  for_each_lane(lanes, [&](unsigned lane) {
    const Place& place = places[lane];
    const GlobalMemory::Allocation* allocation = memory_->find(address_of(place));
    if (allocation == nullptr) return;  // released meanwhile
    if (access.kind != AccessKind::write)
      global_.distinct_read_bytes += touched_->read.touch(*allocation, place.bytes, access.bytes);
    if (access.kind != AccessKind::read)
      global_.distinct_written_bytes += touched_->written.touch(*allocation, place.bytes, access.bytes);
  });
}

void Profile::count_shared(const Access& access, LaneMask lanes, const std::array<Place, kLanes>& places) {
  const auto bytes = static_cast<std::uint64_t>(std::popcount(lanes)) * access.bytes;
  if (access.kind != AccessKind::write) shared_.read_bytes += bytes;
  if (access.kind != AccessKind::read) shared_.written_bytes += bytes;
  const Wavefronts passes = wavefronts_of(access.bytes, lanes, places);
  shared_.wavefronts += passes.needed;
  shared_.ideal_wavefronts += passes.ideal;
}

void Profile::add_to(LaunchProfile& sum) const {
  const auto of = [&](StepClass step_class) { return steps_[static_cast<std::size_t>(step_class)]; };
  sum.instructions.arithmetic += of(StepClass::arithmetic);
  sum.instructions.special_function += of(StepClass::special_function);
  sum.instructions.conversion += of(StepClass::conversion);
  sum.instructions.move += of(StepClass::move);
  sum.instructions.control += of(StepClass::control);
  sum.instructions.memory += of(StepClass::memory);
  sum.instructions.synchronization += of(StepClass::synchronization);
  sum.instructions.matrix += of(StepClass::matrix);
  for (const std::uint64_t count : steps_) sum.warp_instructions += count;
  sum.lane_instructions += lane_steps_;
  sum.global.read_bytes += global_.read_bytes;
  sum.global.written_bytes += global_.written_bytes;
  sum.global.distinct_read_bytes += global_.distinct_read_bytes;
  sum.global.distinct_written_bytes += global_.distinct_written_bytes;
  sum.global.requests += global_.requests;
  sum.global.sectors += global_.sectors;
  sum.global.ideal_sectors += global_.ideal_sectors;
  sum.shared.read_bytes += shared_.read_bytes;
  sum.shared.written_bytes += shared_.written_bytes;
  sum.shared.wavefronts += shared_.wavefronts;
  sum.shared.ideal_wavefronts += shared_.ideal_wavefronts;
}

}  // namespace lathe::runtime::ptx
