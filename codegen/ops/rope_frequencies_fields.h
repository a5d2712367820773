// The field list of a rotary embedding's frequencies.
#pragma once

#include <array>
#include <string_view>

#include <lathe/rope_frequencies.h>

#include "codegen/field.h"

namespace lathe::codegen {

template <>
struct EnumNames<RopeScaling> {
  static constexpr std::array<std::string_view, 7> names{"none",   "linear", "ntk",     "dynamic_ntk",
                                                         "llama3", "yarn",   "longrope"};
};

}  // namespace lathe::codegen
