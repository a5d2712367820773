// Spec <-> JSON, and the description behind `lathe spec`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <lathe/error.h>
#include <lathe/specs.h>

#include "codegen/op.h"

namespace lathe::codegen {

/// {"op": "rms_norm", "hidden_size": 4096, ...}. Unknown op or field, wrong type, value not allowed:
/// invalid_spec, naming the field, what came, what is allowed, and for names the nearest known one. Ranges
/// are left to Op::normalize.
Result<KernelSpec> spec_from_json(std::string_view json);

/// All fields, on one line, in declaration order.
std::string spec_to_json(const KernelSpec& spec);

/// The fields of an op, in declaration order.
std::vector<FieldInfo> fields_of(const Op& op);

}  // namespace lathe::codegen
