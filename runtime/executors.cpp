#include "runtime/executors.h"

#include <charconv>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "runtime/base/try.h"
#include "runtime/ptx/emulator.h"
#if LATHE_WITH_CUDA
#include "runtime/cuda/cuda_executor.h"
#endif
#if LATHE_WITH_LLVM
#include "codegen/clang_compiler.h"
#include "runtime/cpu/cpu_executor.h"
#endif

namespace lathe::runtime {

namespace {

Error missing(ErrorCode code, std::string message, std::string hint) {
  return {.code = code, .stage = Stage::load, .message = std::move(message), .hint = std::move(hint)};
}

Result<std::unique_ptr<Executor>> open_cuda([[maybe_unused]] int device) {
#if LATHE_WITH_CUDA
  return open_cuda_executor({.device = device});
#else
  return missing(ErrorCode::device_missing, "this build of Lathe has no CUDA executor",
                 "build with LATHE_WITH_CUDA=ON");
#endif
}

Result<std::unique_ptr<Executor>> open_cpu() {
#if LATHE_WITH_LLVM
  return make_cpu_executor();
#else
  return missing(ErrorCode::device_missing, "this build of Lathe has no CPU executor",
                 "build with LATHE_WITH_LLVM=ON");
#endif
}

struct GpuArch {
  int major = 0;
  int minor = 0;
  bool is_specific = false;  // suffix a: runs on this very version only
};

/// REQUIRES: "sm_" and two or three digits, as Target::parse gives.
GpuArch gpu_arch(std::string_view arch) {
  arch.remove_prefix(3);
  GpuArch parsed{.is_specific = arch.ends_with('a')};
  int number = 0;
  std::from_chars(arch.data(), arch.data() + arch.size(), number);
  parsed.major = number / 10;
  parsed.minor = number % 10;
  return parsed;
}

bool runs_on_gpu(const GpuArch& wanted, const GpuArch& device) {
  if (wanted.major != device.major) return false;
  return wanted.is_specific ? wanted.minor == device.minor : wanted.minor <= device.minor;
}

/// Code for a processor that this one is not would end in an illegal instruction, long after anybody could
/// say why.
Result<void> check_processor([[maybe_unused]] const Target& target) {
#if LATHE_WITH_LLVM
  LATHE_TRY(const auto lacking, codegen::feature_missing_here(target));
  if (lacking) {
    return missing(ErrorCode::device_missing,
                   fmt::format("code for {} may use {}, which this processor lacks", target.text(), *lacking),
                   "use --target cpu for the processor at hand");
  }
#endif
  return {};
}

/// An emulator has no architecture of its own; this is the one whose kernels use the most of the ISA.
constexpr const char* kDefaultEmulatedArch = "sm_90a";

std::unique_ptr<Executor> open_emulator(const Target& target, const ResolvedOptions& options) {
  return make_emulator({.arch = target.is_native() ? kDefaultEmulatedArch : target.arch,
                        .checks = {.definedness = options.emulator_check >= EmulatorCheck::values,
                                   .races = options.emulator_check >= EmulatorCheck::races},
                        .seed = options.emulator_seed.value_or(0),
                        .random_schedule = options.emulator_seed.has_value(),
                        .on_profile = options.on_launch_profile});
}

Result<std::shared_ptr<Executor>> open_backend(Backend backend, const ResolvedOptions& options) {
  if (backend == Backend::emulate) return std::shared_ptr(open_emulator(*options.target, options));
  LATHE_TRY(std::shared_ptr<Executor> executor,
            backend == Backend::cuda ? open_cuda(options.device) : open_cpu());
  return executor;
}

}  // namespace

Result<void> check_runs_on(const Target& wanted, const Target& device) {
  const bool same_kind = wanted.backend == device.backend;
  if (same_kind && wanted.backend == Backend::cpu) return {};
  if (same_kind && runs_on_gpu(gpu_arch(wanted.arch), gpu_arch(device.arch))) return {};
  return missing(
      ErrorCode::device_missing,
      fmt::format("code for {} does not run on the device at hand, {}", wanted.text(), device.text()),
      fmt::format("use --target {}, or compile without running with `lathe precompile`", device.text()));
}

Result<std::shared_ptr<Executor>> open_executor(const ResolvedOptions& options) {
  if (const std::optional<Target>& target = options.target) {
    LATHE_TRY(auto executor, open_backend(target->backend, options));
    if (!target->is_native()) LATHE_CHECK(check_runs_on(*target, executor->device().target));
    if (!target->is_native() && target->backend == Backend::cpu) LATHE_CHECK(check_processor(*target));
    return executor;
  }
  auto cuda = open_backend(Backend::cuda, options);
  if (cuda) return cuda;
  auto cpu = open_backend(Backend::cpu, options);
  if (cpu) return cpu;
  return missing(ErrorCode::device_missing,
                 fmt::format("no device: {}; {}", cuda.error().message, cpu.error().message),
                 cuda.error().hint);
}

}  // namespace lathe::runtime
