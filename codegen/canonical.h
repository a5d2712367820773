// The spec as stable text: part of the key, of logs and of messages. It comes from the same field lists as
// the JSON.
#pragma once

#include <cstddef>
#include <string>

#include <lathe/specs.h>

namespace lathe::codegen {

/// "rms_norm hidden_size=4096 dtype=bf16 ...": every field, in declaration order, defaults included. Call it
/// on a normalized spec where two spellings of one kernel must give one text.
std::string canonical_text(const KernelSpec& spec);

/// A hash of the fields as they are, for in-process tables; different in each version of the program.
std::size_t hash_of(const KernelSpec& spec);

}  // namespace lathe::codegen
