#include "codegen/ops/rope_parameters.h"

#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/spec_fields.h"

namespace lathe::codegen {

namespace {

std::string_view element_type(DType dtype) {
  switch (dtype) {
    case f32:
      return "F32";
    case f16:
      return "F16";
    case e4m3:
      return "E4m3";
    case e5m2:
      return "E5m2";
    default:
      return "Bf16";
  }
}

std::string_view integer_type(DType dtype) {
  return dtype == i32 ? "int" : "long long";
}

std::string text(bool value) {
  return value ? "true" : "false";
}

template <class Enum>
std::string choice(std::string_view type, Enum value) {
  return fmt::format("{}::{}", type, enum_name(value));
}

/// A float as a C++ literal that reads back as the same value.
std::string float_literal(double value) {
  return fmt::format("static_cast<float>({:a})", value);
}

}  // namespace

Parameters common_rope_parameters(const RopeSpec& spec) {
  const std::vector<std::int64_t> one_section{spec.rotary_dim / 2};
  const auto& sections = spec.sections.empty() ? one_section : spec.sections;
  return {{"X", std::string(element_type(spec.dtype))},
          {"Out", std::string(element_type(*spec.out_dtype))},
          {"Cache", std::string(element_type(*spec.cache_dtype))},
          {"W", std::string(element_type(*spec.norm_weight_dtype))},
          {"Table", std::string(element_type(spec.table_dtype.value_or(f32)))},
          {"Position", std::string(integer_type(spec.position_dtype))},
          {"Slot", std::string(integer_type(spec.slot_dtype))},
          {"kHeads", fmt::to_string(spec.heads)},
          {"kKvHeads", fmt::to_string(spec.kv_heads)},
          {"kHeadDim", fmt::to_string(spec.head_dim)},
          {"kRotaryDim", fmt::to_string(spec.rotary_dim)},
          {"kRotaryOffset", fmt::to_string(spec.rotary_offset)},
          {"kPairing", choice("RopePairs", spec.pairs)},
          {"kPositions", choice("RopePositions", spec.positions)},
          {"kHasTable", text(spec.table_dtype.has_value())},
          {"kAttentionFactor", float_literal(spec.frequencies.attention_factor.value_or(1.0))},
          {"kSections", fmt::format("{{{}}}", fmt::join(sections, ", "))},
          {"kSectionOrder", choice("RopeSections", spec.section_order)},
          {"kInverse", text(spec.inverse)},
          {"kNorm", text(spec.qk_norm)},
          {"kNormHasWeight", text(spec.norm_has_weight)},
          {"kNormWeightOffset", float_literal(spec.norm_weight_offset)},
          {"kNormCasting", choice("Casting", spec.norm_casting)},
          {"kQNopeDim", fmt::to_string(spec.q_nope_dim)},
          {"kKNopeDim", fmt::to_string(spec.k_nope_dim)},
          {"kAppend", choice("RopeAppend", spec.append)},
          {"kVDim", fmt::to_string(spec.v_dim)},
          {"kPageSize", fmt::to_string(spec.page_size)}};
}

}  // namespace lathe::codegen
