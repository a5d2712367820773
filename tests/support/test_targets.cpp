#include "tests/support/test_targets.h"

#include <cstdlib>
#include <sstream>

namespace lathe::tests {

namespace {

std::vector<std::string> wanted_names() {
  const char* given = std::getenv("LATHE_TEST_TARGETS");
  std::istringstream text(
      given != nullptr ? given : "cpu,cpu:x86-64-v3,cpu:x86-64-v2,emulate:sm_80,emulate:sm_90a,cuda");
  std::vector<std::string> names;
  for (std::string name; std::getline(text, name, ',');) names.push_back(name);
  return names;
}

TestTarget open(const std::string& name) {
  TestTarget target{.name = name, .runtime = nullptr, .reason = {}};
  Options options;
  auto parsed = Target::parse(name);
  if (!parsed) {
    target.reason = parsed.error().message;
    return target;
  }
  options.target = *parsed;
  // The environment's cache, if it names one: where there is no compiler, the kernels come from there.
  if (std::getenv("LATHE_CACHE_DIR") == nullptr) options.disk_cache = false;
  auto runtime = Runtime::open(options);
  if (!runtime) {
    target.reason = runtime.error().message;
    return target;
  }
  // An emulated GPU is always there; what compiles for it may not be.
  const auto probe = parsed->backend == Backend::emulate ? runtime->get_kernel(RmsNormSpec{.hidden_size = 32})
                                                         : Result<Kernel>(Kernel(nullptr));
  if (!probe && probe.error().code == ErrorCode::toolchain_missing) {
    target.reason = probe.error().message;
    return target;
  }
  target.runtime = std::make_shared<Runtime>(*std::move(runtime));
  return target;
}

}  // namespace

const std::vector<TestTarget>& test_targets() {
  static const std::vector<TestTarget> targets = [] {
    std::vector<TestTarget> opened;
    for (const std::string& name : wanted_names()) opened.push_back(open(name));
    return opened;
  }();
  return targets;
}

bool targets_are_required() {
  return std::getenv("LATHE_TEST_TARGETS") != nullptr;
}

}  // namespace lathe::tests
