#include "tools/lathe/gpu_compiler.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/base/try.h"
#if LATHE_WITH_CUDA
#include "codegen/nvrtc_api.h"
#endif

namespace lathe::tools {

#if LATHE_WITH_CUDA
Result<NvrtcFacts> find_nvrtc(const EnvironmentLookup& environment) {
  LATHE_TRY(const auto api, codegen::NvrtcApi::open(environment("LATHE_NVRTC").value_or("")));
  NvrtcFacts facts{.path = api->path, .version = fmt::format("{}.{}", api->major, api->minor), .archs = {}};
  int count = 0;
  if (api->get_arch_count(&count) == codegen::kNvrtcSuccess && count > 0) {
    std::vector<int> numbers(static_cast<std::size_t>(count));
    if (api->get_archs(numbers.data()) != codegen::kNvrtcSuccess) numbers.clear();
    for (const int number : numbers) facts.archs.push_back(fmt::format("sm_{}", number));
  }
  return facts;
}
#else
Result<NvrtcFacts> find_nvrtc(const EnvironmentLookup&) {
  return Error{.code = ErrorCode::toolchain_missing,
               .stage = Stage::compile,
               .message = "this build of Lathe has no NVRTC",
               .hint = "build with LATHE_WITH_CUDA=ON"};
}
#endif

Result<void> check_archs(std::span<const Target> targets, const EnvironmentLookup& environment) {
  const bool any = std::any_of(targets.begin(), targets.end(),
                               [](const Target& target) { return target.backend != Backend::cpu; });
  if (!any) return {};
  const auto facts = find_nvrtc(environment);
  if (!facts || facts->archs.empty()) return {};
  for (const Target& target : targets) {
    if (target.backend == Backend::cpu) continue;
    std::string plain = target.arch;  // a and f are variants of a known architecture
    while (!plain.empty() && (plain.back() == 'a' || plain.back() == 'f')) plain.pop_back();
    if (std::find(facts->archs.begin(), facts->archs.end(), plain) != facts->archs.end()) continue;
    return Error{
        .code = ErrorCode::invalid_argument,
        .stage = Stage::api,
        .message = fmt::format("NVRTC {} does not know the architecture {}", facts->version, target.arch),
        .hint = fmt::format("it knows {}", fmt::join(facts->archs, ", "))};
  }
  return {};
}

}  // namespace lathe::tools
