// KernelKey: the name under which a kernel is cached.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lathe/specs.h>
#include <lathe/target.h>

#include "cache/digest.h"
#include "codegen/kernel_source.h"

namespace lathe::runtime {

/// The labelled text of everything that can change a kernel's bytes, and its digest.
///
/// ```
/// lathe-key 1
/// spec: rms_norm hidden_size=4096 dtype=bf16 ...
/// target: cuda:sm_90a
/// compiler: nvrtc 13.0 ...
/// source: <digest of the rendered text>
/// headers: <digest of the names and texts of all headers>
/// launch: block=256,1,1 cluster=1,1,1 shared=0 work=1 programmatic=0
/// ```
/// No path, no time, no host name: the same kernel has the same key on every machine.
struct KernelKey {
  std::string text;
  cache::Digest digest;

  friend bool operator==(const KernelKey&, const KernelKey&) = default;
};

/// REQUIRES: a normalized spec and the source rendered from it; a target that is not native.
KernelKey make_key(const KernelSpec& spec, const Target& target, const codegen::KernelSource& source,
                   std::string_view compiler_identity);

/// The labels and values of a key text, the spec's fields one by one: {"spec.hidden_size", "4096"},
/// {"target", ...}.
std::vector<std::pair<std::string, std::string>> key_fields(std::string_view key_text);

/// The value of one label, or empty.
std::string key_field(std::string_view key_text, std::string_view label);

}  // namespace lathe::runtime
