// Special registers by name.
#pragma once

#include <optional>
#include <string_view>

#include "runtime/ptx/program.h"

namespace lathe::runtime::ptx {

/// "%tid.x"; nullopt for unknown ones and for those that change while a kernel runs (clocks).
std::optional<Special> special_named(std::string_view name);

}  // namespace lathe::runtime::ptx
