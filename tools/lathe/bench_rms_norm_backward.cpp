// rms_norm_backward beside a copy of the same bytes.
#include <string>

#include <fmt/format.h>

#include "runtime/base/try.h"
#include "tools/lathe/bench.h"
#include "tools/lathe/bench_copy.h"
#include "tools/lathe/random_tensors.h"

namespace lathe::tools {

namespace {

constexpr double kShareLimit = 0.65;
constexpr std::int64_t kHiddenSize = 4096;

struct Case {
  Index rows;
  std::string options;  ///< for the name: empty, or with a blank before
  RmsNormBackwardSpec spec;
};

Result<void> bench_case(const Invocation& invocation, Runtime& runtime, const Case& measured,
                        const std::atomic<bool>& stop) {
  const RmsNormBackwardSpec& spec = measured.spec;
  LATHE_TRY(const auto kernel, runtime.get(spec));
  const auto columns = static_cast<std::size_t>(spec.hidden_size);
  const auto rows = static_cast<std::size_t>(measured.rows);
  std::size_t traffic = 0;
  const auto tensor = [&](DType dtype, std::size_t count) {
    const std::vector<std::byte> elements = random_elements(dtype, count, 1);
    traffic += elements.size();
    return upload(runtime, elements);
  };
  RmsNormBackwardArgs args{.rows = measured.rows};
  LATHE_TRY(const Buffer dy, tensor(spec.dtype, rows * columns));
  LATHE_TRY(const Buffer x, tensor(spec.dtype, rows * columns));
  LATHE_TRY(const Buffer dx, tensor(spec.dtype, rows * columns));
  Buffer dresidual;
  if (spec.has_dresidual) {
    LATHE_TRY(dresidual, tensor(spec.dtype, rows * columns));
  }
  LATHE_TRY(const Buffer weight, tensor(spec.dtype, columns));
  LATHE_TRY(const Buffer dw, tensor(spec.dtype, columns));
  LATHE_TRY(const Buffer rstd, tensor(f32, rows));
  args.dy = dy.data();
  args.x = x.data();
  args.dx = dx.data();
  args.dresidual = dresidual.data();
  args.weight = weight.data();
  args.dw = dw.data();
  args.rstd = static_cast<const float*>(rstd.data());
  LATHE_TRY(const std::size_t workspace_bytes, kernel.workspace_bytes(args));
  LATHE_TRY(const Buffer workspace, runtime.allocate(workspace_bytes));
  args.workspace = workspace.data();
  args.workspace_bytes = static_cast<Index>(workspace_bytes);
  LATHE_TRY(const CopyTimes times,
            time_beside_copy(runtime, [&] { return kernel.launch(args, Stream{}); }, traffic, stop));
  if (times.kernel_ms.empty()) return {};
  report_share(
      invocation, runtime,
      fmt::format("rms_norm_backward bf16 {}x{}{}", measured.rows, spec.hidden_size, measured.options),
      traffic, times, kShareLimit);
  return {};
}

}  // namespace

Result<void> bench_rms_norm_backward(const Invocation& invocation, Runtime& runtime,
                                     const std::atomic<bool>& stop) {
  const RmsNormBackwardSpec plain{.hidden_size = kHiddenSize};
  RmsNormBackwardSpec residual = plain;
  residual.has_dresidual = true;
  RmsNormBackwardSpec wide = plain;
  wide.hidden_size = 8192;
  for (const Case& measured :
       {Case{8192, "", plain}, Case{8192, " dresidual", residual}, Case{32768, "", wide}}) {
    const bool is_large = measured.rows > 8192;
    if (stop || (is_large && runtime.target().backend != Backend::cuda)) break;
    LATHE_CHECK(bench_case(invocation, runtime, measured, stop));
  }
  return {};
}

}  // namespace lathe::tools
