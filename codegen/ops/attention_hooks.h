// attention's hooks as a header that its templates include.
#pragma once

#include <lathe/attention.h>

#include "codegen/kernel_source.h"

namespace lathe::codegen {

inline bool has_hooks(const AttentionHooks& hooks) {
  return hooks != AttentionHooks{};
}

/// "user/attention_hooks.h" with the spec's functions; those that it leaves out do nothing.
SourceFile attention_hooks_header(const AttentionHooks& hooks);

}  // namespace lathe::codegen
