// A CPU target in Clang's terms. Includes LLVM headers; only clang_*.cpp include this.
#pragma once

#include <string>
#include <vector>

#include <lathe/error.h>
#include <lathe/target.h>

namespace lathe::codegen {

/// The -triple, -target-cpu, -tune-cpu and -target-feature arguments of cc1.
///
/// With features given the baseline of the instruction set is compiled for, plus exactly those, and the name
/// only tunes: a virtual machine may hide features that its processor's name implies. Errors: unsupported for
/// an unknown processor or feature, with the nearest known ones.
Result<std::vector<std::string>> clang_target_arguments(const Target& target);

/// Registers the native back end with LLVM, once per process.
void initialize_llvm();

}  // namespace lathe::codegen
