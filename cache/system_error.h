// An Error from errno.
#pragma once

#include <cstring>
#include <string>
#include <string_view>

#include <lathe/error.h>

namespace lathe::cache {

/// "cannot WHAT PATH: REASON". Stage store.
inline Error system_error(std::string_view what, std::string_view path, int error_number,
                          std::string hint = {}) {
  return {
      .code = ErrorCode::io_failed,
      .stage = Stage::store,
      .message = "cannot " + std::string(what) + " " + std::string(path) + ": " + std::strerror(error_number),
      .hint = std::move(hint)};
}

}  // namespace lathe::cache
