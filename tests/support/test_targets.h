// Which devices the kernel tests run on.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <lathe/runtime.h>

namespace lathe::tests {

struct TestTarget {
  std::string name;                  ///< as asked for: "cpu", "cpu:x86-64-v3", "cuda"
  std::shared_ptr<Runtime> runtime;  ///< null: not there
  std::string reason;                ///< then, why
};

/// Those in LATHE_TEST_TARGETS, separated by commas; else the CPU as it is, two smaller CPUs (their code
/// takes other paths), two emulated GPUs, and CUDA. Opened once per process. A target that was asked for by
/// name and is not there is a failure of the tests; one of the defaults is skipped, and said so.
const std::vector<TestTarget>& test_targets();

/// Whether the targets were named in the environment.
bool targets_are_required();

}  // namespace lathe::tests
