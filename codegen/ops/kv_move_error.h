// Errors of kv_gather and kv_scatter.
#pragma once

#include <string>
#include <utility>

#include "codegen/ops/kv_move.h"

namespace lathe::codegen {

inline Error bad_kv_spec(const KvMove& move, std::string message, std::string hint = {}) {
  return {.code = ErrorCode::invalid_spec,
          .stage = Stage::validate,
          .message = std::string(move.name()) + ": " + std::move(message),
          .hint = std::move(hint)};
}

inline Error bad_kv_argument(const KvMove& move, std::string message, std::string hint = {}) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::launch,
          .message = std::string(move.name()) + ": " + std::move(message),
          .hint = std::move(hint)};
}

}  // namespace lathe::codegen
