#include "runtime/ptx/race_report.h"

#include <fmt/format.h>

#include "runtime/ptx/block.h"
#include "runtime/ptx/launch.h"

namespace lathe::runtime::ptx {

namespace {

std::string described(const codegen::Dim3& block) {
  return fmt::format("block ({}, {}, {})", block.x, block.y, block.z);
}

std::string described(Warp& warp, const Touch& touch) {
  const Launch& launch = warp.block().launch();
  const auto warps = static_cast<unsigned>(warp.block().warps().size());
  const Origin& origin = warp.program().origins[touch.instruction];
  const std::string source = origin.source.empty() ? "" : fmt::format(" ({})", origin.source);
  return fmt::format("{} of warp {} of {} at PTX line {}{}, `{}`", touch.is_write ? "write" : "read",
                     touch.warp % warps, described(block_index(launch, touch.cluster, touch.warp / warps)),
                     origin.line, source, origin.text);
}

std::string_view noun(AccessKind kind) {
  switch (kind) {
    case AccessKind::read:
      return "read";
    case AccessKind::write:
      return "write";
    case AccessKind::atomic:
      return "atomic update";
  }
  return "access";
}

}  // namespace

std::string describe_place(Warp& warp, const Place& place) {
  if (place.space == Space::shared) {
    const std::string whose = place.block == &warp.block() ? "" : " of " + described(place.block->index());
    return fmt::format("shared memory{}, {} bytes from its beginning", whose, place.offset);
  }
  const auto address = reinterpret_cast<std::uintptr_t>(place.bytes);
  const GlobalMemory::Allocation* allocation = warp.block().launch().memory->find(address);
  if (allocation == nullptr) return fmt::format("{} memory at {:#x}", name_of(place.space), address);
  const std::string whole = allocation->name.empty()
                                ? fmt::format("the allocation of {} bytes", allocation->bytes)
                                : "the variable " + allocation->name;
  return fmt::format("{} memory at {:#x}, {} bytes from the beginning of {}", name_of(place.space), address,
                     place.bytes - allocation->begin, whole);
}

std::string describe_race(Warp& warp, const Access& access, const Place& place, const Touch& other) {
  return fmt::format("nothing orders the {}, and the {} of {} bytes of {},", described(warp, other),
                     noun(access.kind), access.bytes, describe_place(warp, place));
}

}  // namespace lathe::runtime::ptx
