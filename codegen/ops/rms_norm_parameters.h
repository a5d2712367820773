// The parameters that the CPU's and the GPU's template of rms_norm share.
#pragma once

#include <string>

#include <fmt/format.h>

#include <lathe/rms_norm.h>

#include "codegen/op.h"
#include "codegen/spec_fields.h"

namespace lathe::codegen {

/// A float as a C++ literal that reads back as the same value.
inline std::string float_literal(double value) {
  return fmt::format("static_cast<float>({:a})", value);
}

inline Parameters common_rms_norm_parameters(const RmsNormSpec& spec) {
  const auto enum_text = [](std::string_view type, auto value) {
    return fmt::format("{}::{}", type, EnumNames<decltype(value)>::names[static_cast<std::size_t>(value)]);
  };
  const auto bool_text = [](bool value) { return std::string(value ? "true" : "false"); };
  return {
      {"kHiddenSize", fmt::to_string(spec.hidden_size)}, {"kHeads", fmt::to_string(spec.heads)},
      {"kHasWeight", bool_text(spec.has_weight)},        {"kWeightOffset", float_literal(spec.weight_offset)},
      {"kCasting", enum_text("Casting", spec.casting)},  {"kResidual", enum_text("Residual", spec.residual)},
      {"kStoreRstd", bool_text(spec.store_rstd)}};
}

}  // namespace lathe::codegen
