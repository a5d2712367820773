// The choices of rope as kernels see them; the names are those of the spec's enums.
#pragma once

enum class RopePairs { half, interleaved };
enum class RopePositions { ids, offset, ragged };
enum class RopeSections { consecutive, interleaved };
enum class RopeAppend { none, slots, pages };
