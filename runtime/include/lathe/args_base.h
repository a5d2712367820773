// What launch-argument structs share. Compiled for the host and for devices: no includes.
#pragma once

namespace lathe {

/// A count, an offset or a stride, in elements unless said otherwise. 64 bits on every platform that Lathe
/// runs on.
using Index = long long;

static_assert(sizeof(Index) == 8 && sizeof(void*) == 8, "Lathe needs a 64-bit platform");

}  // namespace lathe
