// rms_norm beside a copy of the same bytes, and its backward pass.
#include <vector>

#include <fmt/format.h>

#include "codegen/op.h"
#include "runtime/base/try.h"
#include "tools/lathe/bench.h"
#include "tools/lathe/bench_copy.h"
#include "tools/lathe/norm_workload.h"

namespace lathe::tools {

namespace {

constexpr double kShareLimit = 0.8;

/// What is measured. Llama's casting rounds twice, which costs the CPU something.
struct Case {
  std::int64_t rows;
  std::int64_t hidden_size;
  Casting casting = Casting::gemma;
};

Result<void> bench_case(const Invocation& invocation, Runtime& runtime, const Case& measured,
                        const std::atomic<bool>& stop) {
  const RmsNormSpec plain{.hidden_size = measured.hidden_size, .dtype = bf16, .casting = measured.casting};
  LATHE_TRY(const KernelSpec spec, codegen::op_of(KernelSpec(plain)).normalize(plain));
  LATHE_TRY(const Kernel kernel, runtime.get_kernel(spec));
  LATHE_TRY(const NormWorkload work,
            NormWorkload::make(runtime, std::get<RmsNormSpec>(spec), measured.rows, 1e-5));
  LATHE_TRY(const CopyTimes times,
            time_beside_copy(runtime, [&] { return work.launch(kernel); }, work.traffic_bytes(), stop));
  if (times.kernel_ms.empty()) return {};
  const std::string name = fmt::format("rms_norm bf16 {}x{}{}", measured.rows, measured.hidden_size,
                                       measured.casting == Casting::llama ? " casting=llama" : "");
  report_share(invocation, runtime, name, work.traffic_bytes(), times, kShareLimit);
  return {};
}

}  // namespace

Result<void> bench_rms_norm(const Invocation& invocation, const std::optional<Target>& target,
                            const std::atomic<bool>& stop) {
  Options options = invocation.options();
  options.target = target;
  LATHE_TRY(Runtime runtime, invocation.open(std::move(options)));
  if (!runtime.has_device()) {
    invocation.console().note("rms_norm is not measured: there is no device; see lathe doctor");
    return {};
  }
  std::vector<Case> cases{{8192, 4096}, {8192, 4096, Casting::llama}};
  if (runtime.target().backend == Backend::cuda) cases.push_back({32768, 8192});
  for (const Case& measured : cases) {
    if (stop) break;
    LATHE_CHECK(bench_case(invocation, runtime, measured, stop));
  }
  return bench_rms_norm_backward(invocation, runtime, stop);
}

}  // namespace lathe::tools
