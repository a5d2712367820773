// Kernel::State: what every copy of a Kernel shares. Immutable.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <lathe/kernel.h>

#include "codegen/op.h"
#include "runtime/executor.h"

namespace lathe {

class Kernel::State {
 public:
  KernelSpec spec;
  Target target;
  std::string key;  // hexadecimal digest
  ResourceUse resources;
  std::vector<codegen::EntryPoint> entries;
  const codegen::Op* op = nullptr;
  std::shared_ptr<runtime::Executor> executor;  // before `loaded`: a kernel must not outlive its executor
  std::unique_ptr<runtime::LoadedKernel> loaded;
};

}  // namespace lathe
