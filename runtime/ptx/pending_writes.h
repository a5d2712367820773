// Which asynchronous operation has yet to write to some memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "runtime/ptx/place.h"

namespace lathe::runtime::ptx {

class Warp;

/// The instruction, index into Program::origins, that issued an operation which will write one of the bytes;
/// one of the warp's cluster.
std::optional<std::uint32_t> pending_write_to(Warp& warp, const Place& place, std::size_t bytes);

}  // namespace lathe::runtime::ptx
