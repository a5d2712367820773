// A cold compile through the Runtime beside the bare NVRTC call on the same text.
#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "codegen/op.h"
#include "codegen/render.h"
#include "runtime/base/try.h"
#include "tools/lathe/bench.h"
#include "tools/lathe/norm_workload.h"
#include "tools/lathe/spec_source.h"
#if LATHE_WITH_CUDA
#include "codegen/nvrtc_api.h"
#include "codegen/nvrtc_compiler.h"
#endif

namespace lathe::tools {

#if LATHE_WITH_CUDA

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr int kRounds = 7;
constexpr double kRatioLimit = 1.3;

/// The options that the compiler always sets, as its identity lists them.
std::vector<std::string> options_of(const codegen::Compiler& compiler, const Target& target) {
  std::vector<std::string> options;
  const std::string identity = compiler.identity();
  for (std::size_t at = 0; at < identity.size();) {
    const std::size_t end = std::min(identity.find(' ', at), identity.size());
    if (identity[at] == '-') options.push_back(identity.substr(at, end - at));
    at = end + 1;
  }
  options.push_back("--gpu-architecture=" + target.arch);
  return options;
}

/// Milliseconds from the source to cubin and PTX, with nothing of Lathe in between.
Result<double> time_bare(const codegen::NvrtcApi& api, const codegen::KernelSource& source,
                         const std::vector<std::string>& options) {
  std::vector<const char*> texts, names, option_texts;
  for (const codegen::SourceFile& header : source.headers) {
    texts.push_back(header.text.c_str());
    names.push_back(header.name.c_str());
  }
  for (const std::string& option : options) option_texts.push_back(option.c_str());
  const auto begin = Clock::now();
  codegen::NvrtcProgram program = nullptr;
  codegen::NvrtcStatus status =
      api.create_program(&program, source.text.c_str(), source.name.c_str(), static_cast<int>(names.size()),
                         texts.data(), names.data());
  if (status == codegen::kNvrtcSuccess) {
    status = api.compile_program(program, static_cast<int>(option_texts.size()), option_texts.data());
    std::size_t cubin_size = 0;
    std::size_t ptx_size = 0;
    if (status == codegen::kNvrtcSuccess) status = api.get_cubin_size(program, &cubin_size);
    if (status == codegen::kNvrtcSuccess) status = api.get_ptx_size(program, &ptx_size);
    std::vector<char> cubin(cubin_size);
    std::vector<char> ptx(ptx_size);
    if (status == codegen::kNvrtcSuccess) status = api.get_cubin(program, cubin.data());
    if (status == codegen::kNvrtcSuccess) status = api.get_ptx(program, ptx.data());
    api.destroy_program(&program);
  }
  const double ms = Milliseconds(Clock::now() - begin).count();
  if (status == codegen::kNvrtcSuccess) return ms;
  return Error{.code = ErrorCode::compile_failed,
               .stage = Stage::compile,
               .message = fmt::format("the bare NVRTC call failed: {}", api.error_text(status))};
}

/// Milliseconds of the first compile by a new Runtime that keeps nothing on disk.
Result<double> time_cold(const Invocation& invocation, const PrecompileItem& item) {
  Options options = invocation.options();
  options.disk_cache = false;
  options.read_only_cache_dirs = "";
  options.compile_threads = 1;
  LATHE_TRY(Runtime runtime, Runtime::open(std::move(options)));
  const PrecompileOutcome outcome = runtime.precompile(std::span(&item, 1)).front();
  if (outcome.error) return *outcome.error;
  return Milliseconds(outcome.duration).count();
}

Result<void> bench_spec(const Invocation& invocation, const codegen::NvrtcApi& api,
                        const PrecompileItem& item, const std::atomic<bool>& stop) {
  LATHE_TRY(const auto compiler, codegen::open_nvrtc({.path = api.path}));
  LATHE_TRY(const codegen::KernelSource source,
            codegen::render(item.spec, item.target, codegen::TemplateLibrary::embedded()));
  const std::vector<std::string> options = options_of(*compiler, item.target);
  std::vector<double> bare;
  std::vector<double> cold;
  for (int round = -1; round < kRounds && !stop; ++round) {
    LATHE_TRY(const double bare_ms, time_bare(api, source, options));
    LATHE_TRY(const double cold_ms, time_cold(invocation, item));
    if (round < 0) continue;  // NVRTC's own start
    bare.push_back(bare_ms);
    cold.push_back(cold_ms);
  }
  if (stop) return {};
  const double cold_ms = median_of(cold);
  const double bare_ms = median_of(bare);
  report(invocation, {.name = fmt::format("cold {:.1f} ms / bare NVRTC {:.1f} ms, {}", cold_ms, bare_ms,
                                          short_name(item.spec)),
                      .target = item.target.text(),
                      .value = cold_ms / bare_ms,
                      .unit = "x",
                      .limit = kRatioLimit});
  return {};
}

}  // namespace

Result<void> bench_compile(const Invocation& invocation, const std::optional<Target>& target,
                           const std::atomic<bool>& stop) {
  if (target && target->backend == Backend::cpu) {
    invocation.console().note("compiles are measured against NVRTC, so not for the CPU");
    return {};
  }
  const auto api = codegen::NvrtcApi::open(invocation.environment()("LATHE_NVRTC").value_or(""));
  if (!api) {
    invocation.console().note(fmt::format("compiles are not measured: {}", api.error().message));
    return {};
  }
  // A warp per row, a block per row, and rows that take several blocks or two passes.
  const std::array specs{
      RmsNormSpec{.hidden_size = 128, .heads = 32}, RmsNormSpec{.hidden_size = 4096},
      RmsNormSpec{.hidden_size = 131072, .dtype = f32, .residual = Residual::round_then_norm}};
  const bool is_named = target && !target->is_native();
  const Target arch = is_named ? *target : Target{.backend = Backend::cuda, .arch = "sm_90a"};
  for (const RmsNormSpec& plain : specs) {
    if (stop) break;
    LATHE_TRY(const KernelSpec spec, codegen::op_of(KernelSpec(plain)).normalize(plain));
    LATHE_CHECK(bench_spec(invocation, **api, {spec, arch}, stop));
  }
  return {};
}

#else

Result<void> bench_compile(const Invocation& invocation, const std::optional<Target>&,
                           const std::atomic<bool>&) {
  invocation.console().note("compiles are not measured: this build of Lathe has no NVRTC");
  return {};
}

#endif

}  // namespace lathe::tools
