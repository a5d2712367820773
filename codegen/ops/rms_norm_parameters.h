// The parameters that the CPU's and the GPU's template of rms_norm share.
#pragma once

#include <string>

#include <fmt/format.h>

#include <lathe/rms_norm.h>
#include <lathe/rms_norm_backward.h>

#include "codegen/op.h"
#include "codegen/spec_fields.h"

namespace lathe::codegen {

/// A float as a C++ literal that reads back as the same value.
inline std::string float_literal(double value) {
  return fmt::format("static_cast<float>({:a})", value);
}

/// The name of an element type in the templates of both kinds of target.
inline std::string element_type(DType dtype) {
  switch (dtype) {
    case f16:
      return "F16";
    case bf16:
      return "Bf16";
    case e4m3:
      return "E4m3";
    case e5m2:
      return "E5m2";
    default:
      return "F32";
  }
}

inline std::string bool_literal(bool value) {
  return value ? "true" : "false";
}

/// "Casting::gemma"
template <class Enum>
std::string enum_literal(std::string_view type, Enum value) {
  return fmt::format("{}::{}", type, enum_name(value));
}

inline Parameters common_rms_norm_parameters(const RmsNormSpec& spec) {
  return {{"X", element_type(spec.dtype)},
          {"W", element_type(*spec.weight_dtype)},
          {"Y", element_type(*spec.y_dtype)},
          {"kHiddenSize", fmt::to_string(spec.hidden_size)},
          {"kHeads", fmt::to_string(spec.heads)},
          {"kHasWeight", bool_literal(spec.has_weight)},
          {"kWeightPerHead", bool_literal(spec.weight_per_head)},
          {"kWeightOffset", float_literal(spec.weight_offset)},
          {"kCasting", enum_literal("Casting", spec.casting)},
          {"kResidual", enum_literal("Residual", spec.residual)},
          {"kStoreRstd", bool_literal(spec.store_rstd)},
          {"kScale", enum_literal("OutputScale", spec.y_scale)},
          {"kRoundToDtype", bool_literal(spec.round_to_dtype)}};
}

inline Parameters common_backward_parameters(const RmsNormBackwardSpec& spec) {
  return {{"X", element_type(spec.dtype)},
          {"W", element_type(*spec.weight_dtype)},
          {"Dw", element_type(*spec.dw_dtype)},
          {"kHiddenSize", fmt::to_string(spec.hidden_size)},
          {"kHeads", fmt::to_string(spec.heads)},
          {"kHasWeight", bool_literal(spec.has_weight)},
          {"kWeightPerHead", bool_literal(spec.weight_per_head)},
          {"kWeightOffset", float_literal(spec.weight_offset)},
          {"kCasting", enum_literal("Casting", spec.casting)},
          {"kHasDresidual", bool_literal(spec.has_dresidual)},
          {"kLoadRstd", bool_literal(spec.load_rstd)},
          {"kStoreDx", bool_literal(spec.store_dx)},
          {"kStoreDw", bool_literal(spec.store_dw)},
          {"kAccumulateDw", bool_literal(spec.accumulate_dw)}};
}

}  // namespace lathe::codegen
