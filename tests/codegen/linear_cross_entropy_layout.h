// What linear_cross_entropy's host code and its templates both know: how its workspace is laid out, and what
// blocks do. The numbers of the host code, as assertions that a rendered kernel must compile with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "codegen/compiler.h"
#include "codegen/ops/linear_cross_entropy.h"
#include "codegen/ops/linear_cross_entropy_steps.h"
#include "codegen/render.h"
#include "tests/support/catch.h"

namespace lathe::tests {

/// Fields that make a part longer come in turn: of each, some modes have it and others do not.
inline LinearCrossEntropySpec spec_with_some_part_fields(LinearCrossEntropyMode mode,
                                                         std::int64_t hidden_size) {
  using Mode = LinearCrossEntropyMode;
  LinearCrossEntropySpec spec{.mode = mode};
  if (mode != Mode::merge) spec.hidden_size = hidden_size;
  if (mode != Mode::merge) spec.vocab_size = 1000 * 128;
  spec.has_label_smoothing = mode == Mode::gradient_in_forward || mode == Mode::merge;
  spec.store_entropy = mode == Mode::forward_only || mode == Mode::merge;
  spec.store_accuracy = mode == Mode::gradient_in_forward;
  spec.store_argmax = mode == Mode::merge;
  return std::get<LinearCrossEntropySpec>(codegen::normalize_linear_cross_entropy(spec).value());
}

inline std::string asserted(std::string_view condition) {
  return fmt::format("static_assert({});\n", condition);
}

/// Bytes from one thing in the workspace to the next.
inline std::size_t distance(const void* from, const void* to) {
  return reinterpret_cast<std::uintptr_t>(to) - reinterpret_cast<std::uintptr_t>(from);
}

inline LinearCrossEntropyArgs divided_for_layout(const LinearCrossEntropySpec& spec,
                                                 const codegen::RenderPlan& plan) {
  LinearCrossEntropyArgs args{.tokens = 16, .shards = 2};
  REQUIRE(codegen::divide_linear_cross_entropy(spec, {.entries = plan.entries, .processors = 2}, args)
              .has_value());
  return args;
}

/// Of either kind of target.
inline std::string assertions_of_workspace(const LinearCrossEntropySpec& spec,
                                           const LinearCrossEntropyArgs& args) {
  return asserted(fmt::format("kRowPlanes == {}", codegen::kRowPlanes)) +
         asserted(fmt::format("kPartFields == {}", codegen::part_fields(spec))) +
         asserted(fmt::format("sizeof(Totals) <= {}", distance(args.totals, args.row_tokens)));
}

inline void check_compiles(const codegen::Compiler& compiler, const LinearCrossEntropySpec& spec,
                           const Target& target, const std::string& assertions) {
  codegen::KernelSource source = codegen::render(spec, target, codegen::TemplateLibrary::embedded()).value();
  source.text += assertions;
  const auto binary = compiler.compile(source, target);
  INFO(assertions << (binary ? "" : binary.error().text()));
  CHECK(binary.has_value());
}

}  // namespace lathe::tests
