// What memory rms_norm touches: nothing beyond its rows, not even to read, and rows farther apart than 32
// bits count.
#include <array>
#include <cstddef>
#include <cstdint>

#include "tests/support/catch.h"
#include "tests/support/every_target.h"
#include "tests/support/fenced_pages.h"
#include "tests/support/sparse_memory.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

/// Runs two rows with every tensor right at a fence. The test fails by ending the program.
void run_at_fences(Runtime& runtime, const RmsNormSpec& spec, FencedPages::Side side) {
  constexpr Index kRows = 2;
  const auto row_bytes = static_cast<std::size_t>(spec.hidden_size) * size_of(spec.dtype);
  const FencedPages x(kRows * row_bytes, side);
  const FencedPages y(kRows * row_bytes, side);
  const FencedPages residual_in(kRows * row_bytes, side);
  const FencedPages residual_out(kRows * row_bytes, side);
  const FencedPages weight(static_cast<std::size_t>(spec.hidden_size) * size_of(*spec.weight_dtype), side);
  const FencedPages rstd(kRows * sizeof(float), side);
  const auto kernel = runtime.get(spec).value();
  const auto launched = kernel.launch({.x = x.data(),
                                       .weight = weight.data(),
                                       .y = y.data(),
                                       .residual_in = residual_in.data(),
                                       .residual_out = residual_out.data(),
                                       .rstd = reinterpret_cast<float*>(rstd.data()),
                                       .rows = kRows},
                                      {});
  CHECK(launched.has_value());
}

}  // namespace

TEST_CASE("rms_norm: no byte beyond a row is read or written") {
  on_every_target([](Runtime& runtime) {
    if (runtime.target().backend != Backend::cpu) return;  // compute-sanitizer's job: see tools/gpu-check
    for (const DType dtype : {f32, f16, bf16}) {
      for (const std::int64_t size : {1, 3, 8, 17, 31, 65, 1000, 1023}) {
        const RmsNormSpec spec{.hidden_size = size,
                               .dtype = dtype,
                               .weight_dtype = size % 2 == 0 ? f32 : dtype,
                               .residual = Residual::norm_then_round,
                               .store_rstd = true};
        run_at_fences(runtime, spec, FencedPages::Side::begin);
        run_at_fences(runtime, spec, FencedPages::Side::end);
      }
    }
  });
}

TEST_CASE("rms_norm: offsets beyond 2^31 elements") {
  on_every_target([](Runtime& runtime) {
    // Two rows, 2^31 + 64 elements apart.
    constexpr Index kHidden = 64;
    constexpr Index kStride = (Index{1} << 31) + kHidden;
    const SparseMemory memory(runtime, static_cast<std::size_t>(kStride + kHidden) * 2);
    if (memory.data() == nullptr) {
      WARN("skipped on " << runtime.target().text() << ": it has no 4 GiB to spare");
      return;
    }
    std::array<std::uint16_t, kHidden> row{};
    for (const Index at : {Index{0}, kStride}) {
      row.fill(at == 0 ? 0x4000 : 0xC080);  // 2 and -4
      REQUIRE(runtime.copy_to_device(memory.data() + at, row.data(), sizeof row, {}));
    }
    const auto kernel = runtime.get(RmsNormSpec{.hidden_size = kHidden, .has_weight = false}).value();
    const auto launched = kernel.launch({.x = memory.data(),
                                         .y = memory.data(),
                                         .rows = 2,
                                         .x_row_stride = kStride,
                                         .y_row_stride = kStride,
                                         .epsilon = 0.0f},
                                        {});
    CHECK(launched.has_value());
    CHECK(runtime.synchronize({}).has_value());
    for (const Index at : {Index{0}, kStride}) {
      std::array<std::uint16_t, kHidden> expected{};
      expected.fill(at == 0 ? 0x3F80 : 0xBF80);  // 1 and -1
      REQUIRE(runtime.copy_to_host(row.data(), memory.data() + at, sizeof row, {}));
      CHECK(row == expected);
    }
  });
}
