// What differs between the LLVM versions that Lathe builds with, 18 and 19. Only clang_*.cpp and runtime/cpu/
// include this.
#pragma once

#include <llvm/ADT/StringMap.h>
#include <llvm/Config/llvm-config.h>
#include <llvm/TargetParser/Host.h>

namespace lathe::codegen {

/// The features of this machine's processor, and whether each is there.
inline llvm::StringMap<bool> host_cpu_features() {
#if LLVM_VERSION_MAJOR >= 19
  return llvm::sys::getHostCPUFeatures();
#else
  llvm::StringMap<bool> features;
  llvm::sys::getHostCPUFeatures(features);
  return features;
#endif
}

}  // namespace lathe::codegen
