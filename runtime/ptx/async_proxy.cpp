#include "runtime/ptx/async_proxy.h"

#include <algorithm>

#include <fmt/format.h>

#include "runtime/ptx/block.h"
#include "runtime/ptx/cluster.h"
#include "runtime/ptx/instruction_table.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

void GenericWrites::add(std::size_t offset, std::size_t bytes, const Write& write) {
  if (words_.empty() || bytes == 0) return;
  const std::size_t last = (offset + bytes - 1) / kWordBytes;
  for (std::size_t word = offset / kWordBytes; word <= last; ++word) words_[word] = write;
}

const GenericWrites::Write* GenericWrites::unfenced(std::size_t offset, std::size_t bytes,
                                                    const Warp& reader) const {
  if (words_.empty() || bytes == 0) return nullptr;
  const std::size_t last = (offset + bytes - 1) / kWordBytes;
  for (std::size_t word = offset / kWordBytes; word <= last; ++word) {
    const Write& write = words_[word];
    if (write.warp == nullptr) continue;
    if (std::max(write.warp->last_proxy_fence, reader.last_proxy_fence) <= write.fences) return &write;
  }
  return nullptr;
}

bool check_async_read(Warp& warp, std::uint32_t shared_offset, std::size_t bytes) {
  const GenericWrites::Write* write = warp.block().generic_writes().unfenced(shared_offset, bytes, warp);
  if (write == nullptr) return true;
  const Origin& origin = warp.program().origins[write->instruction];
  const std::string source = origin.source.empty() ? "" : fmt::format(" ({})", origin.source);
  warp.fault(FaultKind::race,
             fmt::format("reads {} bytes of shared memory, {} bytes from its beginning, through the "
                         "asynchronous proxy, some of which warp {} wrote at PTX line {}{}, `{}`: no "
                         "fence.proxy.async between the two",
                         bytes, shared_offset, write->warp->index(), origin.line, source, origin.text));
  return false;
}

void note_generic_write(Warp& warp, const Place& place, std::size_t bytes) {
  if (place.block == nullptr || !warp.block().checks_races()) return;
  place.block->generic_writes().add(
      place.offset, bytes,
      {.warp = &warp, .fences = warp.block().cluster().proxy_fences, .instruction = warp.instruction()});
}

void note_async_write(const Place& place, std::size_t bytes) {
  if (place.block != nullptr) place.block->generic_writes().forget(place.offset, bytes);
}

void fence_async_proxy(Warp& warp) {
  warp.last_proxy_fence = ++warp.block().cluster().proxy_fences;
}

/// Fences of other proxies, or of global memory, order nothing that is looked at here.
Execute decode_proxy_fence(Decoding& decoding) {
  if (decoding.take("async") && !decoding.take("global")) {
    decoding.take_any({"shared::cta", "shared::cluster"});
    return [](Warp& warp, const Step&) { fence_async_proxy(warp); };
  }
  decoding.take("alias");
  decoding.ignore_prefixed("tensormap::");
  decoding.ignore_prefixed("async::generic");
  decoding.ignore_prefixed("sync_restrict::");
  decoding.take_any({"acquire", "release"});
  decoding.take_any({"cta", "cluster", "gpu", "sys"});
  return [](Warp&, const Step&) {};
}

}  // namespace lathe::runtime::ptx
