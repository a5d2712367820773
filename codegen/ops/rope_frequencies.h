// From the frequencies of a spec to the integers with which kernels compute exact angles.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/error.h>
#include <lathe/rope_frequencies.h>

namespace lathe::codegen {

/// Checks what concerns several fields at once, and resolves the attention factor: of a normalized value it
/// is set, rounded to a float, and mscale and mscale_all_dim are 0. Idempotent. Errors: invalid_spec; `path`
/// begins the message: "rope: frequencies.". REQUIRES: every field is in its own range; rotary_dim even and
/// above 0.
Result<RopeFrequencies> normalize_frequencies(const RopeFrequencies& given, std::int64_t rotary_dim,
                                              std::string_view path);

/// Per pair: the part of a turn that one position makes, times 2^64 and rounded. Position p's angle is
/// p * turns, modulo 2^64, exactly what templates/common/rotation.h takes: no position is too large.
/// The same numbers on every machine. REQUIRES: normalized.
std::vector<std::uint64_t> turns_per_position(const RopeFrequencies& frequencies, std::int64_t rotary_dim);

/// The numbers as the value of a parameter block's array: "{0x28be60db9391054a, ...}".
std::string array_literal(const std::vector<std::uint64_t>& turns);

}  // namespace lathe::codegen
