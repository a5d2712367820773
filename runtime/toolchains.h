// Toolchains: the compilers, opened when first needed.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <lathe/error.h>
#include <lathe/target.h>

#include "codegen/compiler.h"

namespace lathe::runtime {

/// Thread-safe. A compiler that could not be opened is reported again without a second try: libraries do not
/// appear while a program runs, and searching for them costs milliseconds.
class Toolchains {
 public:
  using Opener = std::function<Result<std::unique_ptr<codegen::Compiler>>(Backend)>;

  explicit Toolchains(Opener opener) : opener_(std::move(opener)) {}

  /// Errors: toolchain_missing with a hint. The compiler lives as long as this object.
  Result<const codegen::Compiler*> compiler_for(Backend backend);

 private:
  struct Slot {
    std::once_flag once;
    std::optional<Result<std::unique_ptr<codegen::Compiler>>> compiler;
  };

  Opener opener_;
  std::array<Slot, 2> slots_;  // CPU, GPU: the emulator runs what is compiled for CUDA
};

/// Opens NVRTC and Clang as far as this build has them.
Toolchains::Opener default_opener(std::string nvrtc_path);

}  // namespace lathe::runtime
