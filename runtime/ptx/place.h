// Place: where an access goes, once its address is understood.
#pragma once

#include <cstddef>

#include "runtime/ptx/shadow.h"
#include "runtime/ptx/types.h"

namespace lathe::runtime::ptx {

class Block;

/// The memory of one lane's access.
struct Place {
  std::byte* bytes = nullptr;
  Shadow* shadow = nullptr;  ///< nullptr: always defined
  std::size_t offset = 0;    ///< in the shadow
  Space space = Space::generic;
  Block* block = nullptr;  ///< whose shared memory it is
};

}  // namespace lathe::runtime::ptx
