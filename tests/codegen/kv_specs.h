// Specs of kv_gather that the tests start from, and what normalizing says of them.
#pragma once

#include <string>

#include "codegen/ops/kv_move.h"
#include "tests/support/catch.h"

namespace lathe::tests {

/// A paged cache of 2 layers, keys and values, to one object.
inline KvGatherSpec plain_gather() {
  KvGatherSpec spec{.src = {{.axes = "B P N H C",
                             .base = KvBase::layer,
                             .layers = 2,
                             .planes = 2,
                             .block_size = 16,
                             .heads = 8,
                             .content = 128}},
                    .dst = {{.axes = "P L N H C", .layers = 2, .planes = 2, .heads = 8, .content = 128}}};
  spec.src_index = {.kind = KvIndexKind::slots, .dtype = i64};
  return spec;
}

inline KvGatherSpec normalized(const KvGatherSpec& spec) {
  auto result = codegen::normalize_kv_gather(spec);
  if (!result) FAIL(result.error().message);
  return std::get<KvGatherSpec>(*result);
}

/// What normalizing complains of, behind "kv_gather: ".
inline std::string complaint(const KvGatherSpec& spec) {
  const auto result = codegen::normalize_kv_gather(spec);
  if (result) return "nothing";
  CHECK(result.error().code == ErrorCode::invalid_spec);
  CHECK(result.error().stage == Stage::validate);
  const std::string& message = result.error().message;
  CHECK(message.substr(0, 11) == "kv_gather: ");
  return message.substr(11);
}

}  // namespace lathe::tests
