// What NVRTC and ptxas make of specs.
#pragma once

#include <algorithm>
#include <ctime>

#include <lathe/specs.h>

#include "codegen/compiler.h"
#include "codegen/op.h"
#include "codegen/render.h"
#include "codegen/template_library.h"
#include "tests/support/catch.h"

namespace lathe::tests {

/// Compiles specs for one GPU.
class SpecCompilation {
 public:
  SpecCompilation(const codegen::Compiler& nvrtc, const char* arch)
      : nvrtc_(nvrtc), target_{Backend::cuda, arch, {}}, library_(codegen::TemplateLibrary::embedded()) {}

  /// That no register of any entry point is kept in memory, and how many there are at most.
  void check_registers(const KernelSpec& spec, int most) const {
    const codegen::KernelBinary binary = nvrtc_.compile(source_of(spec), target_).value();
    INFO(target_.text() << "\n" << binary.log);
    CHECK(binary.resources.registers <= most);
    CHECK(binary.resources.spill_store_bytes == 0);
    CHECK(binary.resources.spill_load_bytes == 0);
    CHECK(binary.resources.stack_bytes == 0);
  }

  /// Of this process, whatever else the machine does; the best of a few.
  double cpu_seconds(const KernelSpec& spec) const {
    const codegen::KernelSource source = source_of(spec);
    double best = 1e9;
    for (int i = 0; i < 3; ++i) {
      const std::clock_t begin = std::clock();
      REQUIRE(nvrtc_.compile(source, target_).has_value());
      best = std::min(best, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
    }
    return best;
  }

 private:
  codegen::KernelSource source_of(const KernelSpec& spec) const {
    return render(codegen::op_of(spec).normalize(spec).value(), target_, library_).value();
  }

  const codegen::Compiler& nvrtc_;
  Target target_;
  codegen::TemplateLibrary library_;
};

}  // namespace lathe::tests
