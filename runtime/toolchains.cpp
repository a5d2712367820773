#include "runtime/toolchains.h"

#include <utility>

#if LATHE_WITH_CUDA
#include "codegen/nvrtc_compiler.h"
#endif
#if LATHE_WITH_LLVM
#include "codegen/clang_compiler.h"
#endif

namespace lathe::runtime {

namespace {

Result<std::unique_ptr<codegen::Compiler>> open_gpu_compiler([[maybe_unused]] const std::string& nvrtc_path) {
#if LATHE_WITH_CUDA
  return codegen::open_nvrtc({.path = nvrtc_path});
#else
  return Error{.code = ErrorCode::toolchain_missing,
               .stage = Stage::compile,
               .message = "this build of Lathe has no NVRTC",
               .hint = "build with LATHE_WITH_CUDA=ON"};
#endif
}

Result<std::unique_ptr<codegen::Compiler>> open_cpu_compiler() {
#if LATHE_WITH_LLVM
  return codegen::make_clang_compiler();
#else
  return Error{.code = ErrorCode::toolchain_missing,
               .stage = Stage::compile,
               .message = "this build of Lathe has no Clang",
               .hint = "build with LATHE_WITH_LLVM=ON"};
#endif
}

}  // namespace

Result<const codegen::Compiler*> Toolchains::compiler_for(Backend backend) {
  Slot& slot = slots_[backend == Backend::cpu ? 0 : 1];
  std::call_once(slot.once, [&] { slot.compiler.emplace(opener_(backend)); });
  if (!*slot.compiler) return Error(slot.compiler->error());
  return static_cast<const codegen::Compiler*>((*slot.compiler)->get());
}

Toolchains::Opener default_opener(std::string nvrtc_path) {
  return [path = std::move(nvrtc_path)](Backend backend) {
    return backend == Backend::cpu ? open_cpu_compiler() : open_gpu_compiler(path);
  };
}

}  // namespace lathe::runtime
