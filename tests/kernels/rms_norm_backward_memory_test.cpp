// What memory rms_norm_backward touches: nothing beyond its rows, not even to read, and rows farther apart
// than 32 bits count.
#include <array>
#include <cstddef>
#include <cstdint>

#include "tests/support/catch.h"
#include "tests/support/every_target.h"
#include "tests/support/fenced_pages.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/sparse_memory.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

/// Runs two rows with every tensor right at a fence. The test fails by ending the program.
void run_at_fences(Runtime& runtime, const RmsNormBackwardSpec& spec, FencedPages::Side side) {
  constexpr Index kRows = 2;
  const std::size_t row_bytes = static_cast<std::size_t>(spec.hidden_size) * size_of(spec.dtype);
  const FencedPages dy(kRows * row_bytes, side);
  const FencedPages x(kRows * row_bytes, side);
  const FencedPages dresidual(kRows * row_bytes, side);
  const FencedPages dx(kRows * row_bytes, side);
  const FencedPages weight(static_cast<std::size_t>(spec.hidden_size) * size_of(*spec.weight_dtype), side);
  const FencedPages dw(static_cast<std::size_t>(spec.hidden_size) * size_of(*spec.dw_dtype), side);
  const FencedPages rstd(kRows * sizeof(float), side);
  const auto kernel = runtime.get(spec).value();
  RmsNormBackwardArgs args{.dy = dy.data(),
                           .x = x.data(),
                           .weight = weight.data(),
                           .rstd = reinterpret_cast<const float*>(rstd.data()),
                           .dresidual = dresidual.data(),
                           .dx = dx.data(),
                           .dw = dw.data(),
                           .rows = kRows};
  args.workspace_bytes = static_cast<Index>(kernel.workspace_bytes(args).value());
  const GuardedBuffer workspace(runtime, static_cast<std::size_t>(args.workspace_bytes));
  args.workspace = workspace.data();
  const auto launched = kernel.launch(args, {});
  CHECK(launched.has_value());
}

}  // namespace

TEST_CASE("rms_norm_backward: no byte beyond a row is read or written") {
  on_every_target([](Runtime& runtime) {
    if (runtime.target().backend != Backend::cpu) return;  // the emulator checks every access anyway
    for (const DType dtype : {f32, f16, bf16}) {
      for (const std::int64_t size : {1, 3, 8, 17, 31, 65, 1000, 1023}) {
        const RmsNormBackwardSpec spec{.hidden_size = size,
                                       .dtype = dtype,
                                       .weight_dtype = size % 2 == 0 ? f32 : dtype,
                                       .has_dresidual = true,
                                       .dw_dtype = size % 3 == 0 ? f32 : dtype,
                                       .accumulate_dw = true};
        run_at_fences(runtime, spec, FencedPages::Side::begin);
        run_at_fences(runtime, spec, FencedPages::Side::end);
      }
    }
  });
}

TEST_CASE("rms_norm_backward: offsets beyond 2^31 elements") {
  on_every_target([](Runtime& runtime) {
    // Two rows of dy, each with one of x behind it, 2^31 + 128 elements apart. dy = 1 in the first, 3 in the
    // second; x = (2, -2, ...) there and (4, -4, ...) here, so n = (1, -1, ...) in both.
    constexpr Index kHidden = 64;
    constexpr Index kStride = (Index{1} << 31) + 2 * kHidden;
    const SparseMemory memory(runtime, static_cast<std::size_t>(kStride + 2 * kHidden) * 2);
    if (memory.data() == nullptr) {
      WARN("skipped on " << runtime.target().text() << ": it has no 4 GiB to spare");
      return;
    }
    using Row = std::array<std::uint16_t, kHidden>;
    const auto alternating = [](std::uint16_t even, std::uint16_t odd) {
      Row row{};
      for (std::size_t i = 0; i < row.size(); ++i) row[i] = i % 2 == 0 ? even : odd;
      return row;
    };
    std::uint16_t* const dy = memory.data();
    std::uint16_t* const x = dy + kHidden;
    const auto upload = [&](void* to, const auto& row) {
      REQUIRE(runtime.copy_to_device(to, row.data(), sizeof row, {}));
    };
    upload(dy, alternating(0x3F80, 0x3F80));
    upload(dy + kStride, alternating(0x4040, 0x4040));
    upload(x, alternating(0x4000, 0xC000));
    upload(x + kStride, alternating(0x4080, 0xC080));
    const GuardedBuffer weight(runtime, sizeof(Row));
    upload(weight.data(), alternating(0x3F80, 0x3F80));
    std::array<float, kHidden> dw{};
    const GuardedBuffer device_dw(runtime, sizeof dw);
    const auto kernel =
        runtime.get(RmsNormBackwardSpec{.hidden_size = kHidden, .load_rstd = false, .dw_dtype = f32}).value();
    RmsNormBackwardArgs args{.dy = dy,
                             .x = x,
                             .weight = weight.data(),
                             .dx = dy,
                             .dw = device_dw.data(),
                             .rows = 2,
                             .dy_row_stride = kStride,
                             .x_row_stride = kStride,
                             .dx_row_stride = kStride,
                             .epsilon = 0};
    args.workspace_bytes = static_cast<Index>(kernel.workspace_bytes(args).value());
    const GuardedBuffer workspace(runtime, static_cast<std::size_t>(args.workspace_bytes));
    args.workspace = workspace.data();
    REQUIRE(kernel.launch(args, {}).has_value());
    REQUIRE(runtime.synchronize({}).has_value());
    REQUIRE(runtime.copy_to_host(dw.data(), device_dw.data(), sizeof dw, {}));
    for (std::size_t i = 0; i < dw.size(); ++i) CHECK(dw[i] == (i % 2 == 0 ? 4.0f : -4.0f));
    // sum(g * n) is 0, so dx is rstd * dy: 1 / 2 and 3 / 4.
    Row dx{};
    REQUIRE(runtime.copy_to_host(dx.data(), dy, sizeof dx, {}));
    CHECK(dx == alternating(0x3F00, 0x3F00));
    REQUIRE(runtime.copy_to_host(dx.data(), dy + kStride, sizeof dx, {}));
    CHECK(dx == alternating(0x3F40, 0x3F40));
  });
}
