// The asynchronous proxy: bulk copies and wgmma do not see what ld and st wrote to shared memory before a
// fence.proxy.async has made it visible to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/ptx/place.h"

namespace lathe::runtime::ptx {

class Warp;

/// Of one block's shared memory: what was last written to each word through the generic proxy, unless the
/// asynchronous one has overwritten it. Kept when races are checked.
class GenericWrites {
 public:
  struct Write {
    Warp* warp = nullptr;           ///< nullptr: none
    std::uint64_t fences = 0;       ///< executed in the cluster when it was done
    std::uint32_t instruction = 0;  ///< index into Program::origins
  };

  GenericWrites() = default;
  explicit GenericWrites(std::size_t bytes) : words_((bytes + kWordBytes - 1) / kWordBytes) {}

  void add(std::size_t offset, std::size_t bytes, const Write& write);
  void forget(std::size_t offset, std::size_t bytes) { add(offset, bytes, {}); }
  /// A write with no fence behind it, neither of the warp that did it nor of the reader; nullptr: none.
  const Write* unfenced(std::size_t offset, std::size_t bytes, const Warp& reader) const;

 private:
  static constexpr std::size_t kWordBytes = 4;
  std::vector<Write> words_;
};

/// For an instruction that reads its own block's shared memory through the asynchronous proxy, when it is
/// issued: reports a race, and returns false then, if bytes were written through the generic proxy with no
/// fence.proxy.async since, either by the warp that wrote or by this one. `shared_offset`: from the beginning
/// of the block's shared memory, as Place::offset, not as an address. Nothing else is checked, and nothing at
/// all when races are not.
bool check_async_read(Warp& warp, std::uint32_t shared_offset, std::size_t bytes);

/// A write to shared memory as ld and st do it, by the present instruction; other places are ignored.
void note_generic_write(Warp& warp, const Place& place, std::size_t bytes);
/// A write through the asynchronous proxy is done.
void note_async_write(const Place& place, std::size_t bytes);

/// fence.proxy.async of shared memory.
void fence_async_proxy(Warp& warp);

}  // namespace lathe::runtime::ptx
