// In-process Clang as a Compiler: rendered C++ -> object file for this kind of processor.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <lathe/error.h>
#include <lathe/target.h>

#include "codegen/compiler.h"

namespace lathe::codegen {

/// Compiles one source at a time: in-process Clang has global state that does not bear concurrent use. Sees
/// no file system: the source and its headers are all there is.
std::unique_ptr<Compiler> make_clang_compiler();

/// This machine's processor, with all its features spelt out: what `cpu:native` stands for.
Target host_cpu_target();

/// A feature that code for `target` may use and this machine lacks; empty if it can run here. Errors:
/// unsupported for a processor or feature that Clang does not know.
Result<std::optional<std::string>> feature_missing_here(const Target& target);

}  // namespace lathe::codegen
