#include "codegen/ops/attention_hooks.h"

#include <string>
#include <string_view>

#include <fmt/format.h>

namespace lathe::codegen {

namespace {

/// The body on lines of its own: its last may be a comment.
std::string function(std::string_view head, std::string_view body, std::string_view nothing) {
  return fmt::format("inline {}const AttentionPlace& at, const void* data) {{\n{}\n}}\n", head,
                     body.empty() ? nothing : body);
}

}  // namespace

SourceFile attention_hooks_header(const AttentionHooks& hooks) {
  std::string text =
      "// Functions from the spec.\n#pragma once\n\n"
      "#include \"common/attention_place.h\"\n#include \"common/hook_math.h\"\n\n";
  text += function("float logits_hook(float logit, ", hooks.logits, "return logit;");
  text += function("bool mask_hook(", hooks.mask, "return true;");
  text += function("float query_hook(float value, int dim, ", hooks.query, "return value;");
  text += function("float key_hook(float value, int dim, ", hooks.key, "return value;");
  text += function("float output_hook(float value, int dim, ", hooks.output, "return value;");
  return {.name = "user/attention_hooks.h", .text = std::move(text)};
}

}  // namespace lathe::codegen
