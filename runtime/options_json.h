// Options from JSON, for the C interface.
#pragma once

#include <string_view>

#include <lathe/error.h>
#include <lathe/options.h>

namespace lathe::runtime {

/// An object with the members of Options by name ("lock_timeout_ms" for lock_timeout). Errors:
/// invalid_argument for what is not JSON, an unknown member or a wrong type, naming it.
Result<Options> options_from_json(std::string_view text);

}  // namespace lathe::runtime
