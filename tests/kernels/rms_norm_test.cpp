// rms_norm on every device at hand, against double precision.
#include <cstdint>
#include <string>

#include "tests/kernels/rms_norm_case.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

void check(Runtime& runtime, const RmsNormCase& test) {
  const std::string wrong = run_rms_norm(runtime, test);
  CHECK(wrong == "");
}

const DType kDTypes[] = {f32, f16, bf16};

}  // namespace

TEST_CASE("rms_norm: every option, alone and with every other") {
  on_every_target([](Runtime& runtime) {
    std::uint32_t seed = 1;
    for (const DType dtype : kDTypes) {
      for (const Casting casting : {Casting::llama, Casting::gemma, Casting::none}) {
        for (const Residual residual :
             {Residual::none, Residual::round_then_norm, Residual::norm_then_round}) {
          // No weight; the same dtype; another dtype; with offset.
          for (int weight = 0; weight < 4; ++weight) {
            RmsNormCase test{.spec = {.hidden_size = seed % 2 == 0 ? 129 : 1024, .dtype = dtype}};
            test.spec.casting = casting;
            test.spec.residual = residual;
            test.spec.has_weight = weight != 0;
            if (weight == 2) test.spec.weight_dtype = dtype == f32 ? bf16 : f32;
            if (weight == 3) test.spec.weight_offset = 1.0;
            test.spec.store_rstd = seed % 3 == 0;
            test.seed = seed++;
            check(runtime, test);
          }
        }
      }
    }
  });
}

TEST_CASE("rms_norm: every size") {
  on_every_target([](Runtime& runtime) {
    for (const std::int64_t size :
         {1,     2,     3,     7,     8,     31,    64,    111,    129,    256,   500,
          1023,  1024,  1025,  2048,  2880,  3584,  4096,  4097,   5120,   7168,  8192,
          16384, 16385, 32768, 32769, 32776, 65536, 65537, 131072, 262143, 262144}) {
      check(runtime, {.spec = {.hidden_size = size},
                      .rows = size > 10000 ? 2 : 5,
                      .seed = static_cast<std::uint32_t>(size)});
    }
    for (const std::int64_t size : {5, 1000, 4096, 16384, 32772, 262144}) {
      check(runtime, {.spec = {.hidden_size = size,
                               .dtype = f32,
                               .residual = Residual::norm_then_round,
                               .store_rstd = true}});
      check(runtime, {.spec = {.hidden_size = size,
                               .dtype = f16,
                               .casting = Casting::llama,
                               .residual = Residual::round_then_norm}});
    }
  });
}

TEST_CASE("rms_norm: any number of rows, none included") {
  on_every_target([](Runtime& runtime) {
    for (const Index rows : {0, 1, 2, 19, 99, 989}) {
      for (const std::int64_t size : {3, 128, 500, 4096})
        check(runtime, {.spec = {.hidden_size = size}, .rows = rows});
    }
  });
}

TEST_CASE("rms_norm: rows and heads at any stride") {
  on_every_target([](Runtime& runtime) {
    for (const std::int64_t size : {111, 512, 4096}) {
      check(runtime, {.spec = {.hidden_size = size}, .rows = 19, .row_padding = size});
      check(runtime, {.spec = {.hidden_size = size, .residual = Residual::round_then_norm},
                      .rows = 5,
                      .row_padding = size});
    }
    for (const std::int64_t heads : {4, 7, 16}) {
      for (const std::int64_t size : {64, 128, 256, 512}) {
        check(runtime, {.spec = {.hidden_size = size, .store_rstd = true, .heads = heads}, .rows = 19});
        check(runtime, {.spec = {.hidden_size = size, .heads = heads},
                        .rows = 7,
                        .row_padding = 64,
                        .head_padding = 32});
        check(runtime, {.spec = {.hidden_size = size, .heads = heads}, .rows = 7, .heads_outside = true});
      }
    }
    // Every tensor has strides of its own, those of the residual too; several rows per block and one.
    for (const std::int64_t size : {96, 1500, 40000}) {
      check(runtime, {.spec = {.hidden_size = size,
                               .residual = Residual::norm_then_round,
                               .store_rstd = true,
                               .heads = 3},
                      .rows = 5,
                      .row_padding = 16,
                      .head_padding = 48});
    }
  });
}

TEST_CASE("rms_norm: tensors at any address that the spec's alignment allows") {
  on_every_target([](Runtime& runtime) {
    for (const DType dtype : kDTypes) {
      for (std::int64_t alignment = static_cast<std::int64_t>(size_of(dtype)); alignment <= 16;
           alignment *= 2) {
        RmsNormCase test{.spec = {.hidden_size = 1024,
                                  .dtype = dtype,
                                  .residual = Residual::norm_then_round,
                                  .alignment = alignment}};
        test.spec.weight_dtype = dtype == f32 ? f16 : f32;
        test.offset_elements = static_cast<int>(alignment / static_cast<std::int64_t>(size_of(dtype)));
        check(runtime, test);
      }
    }
    // Rows that no 16-byte access fits, though every row begins at a multiple of 16 bytes.
    check(runtime, {.spec = {.hidden_size = 1001, .alignment = 16}, .row_padding = 7});
  });
}

TEST_CASE("rms_norm: outputs may be the inputs") {
  on_every_target([](Runtime& runtime) {
    for (const std::int64_t size : {129, 1024, 4096, 40000}) {
      for (const Residual residual : {Residual::none, Residual::round_then_norm, Residual::norm_then_round}) {
        check(runtime, {.spec = {.hidden_size = size, .residual = residual}, .in_place = true});
      }
    }
  });
}

TEST_CASE("rms_norm: values at the ends of the range") {
  on_every_target([](Runtime& runtime) {
    for (const DType dtype : kDTypes) {
      for (const Values values :
           {Values::large, Values::overflowing, Values::tiny, Values::zero, Values::not_finite}) {
        for (const Casting casting : {Casting::llama, Casting::gemma, Casting::none}) {
          check(runtime,
                {.spec = {.hidden_size = 500, .dtype = dtype, .casting = casting, .store_rstd = true},
                 .values = values});
        }
        check(runtime, {.spec = {.hidden_size = 2500, .dtype = dtype, .residual = Residual::round_then_norm},
                        .values = values});
      }
      // 0 * (1 / 0) is NaN, as IEEE arithmetic has it.
      check(runtime, {.spec = {.hidden_size = 64, .dtype = dtype}, .values = Values::zero, .epsilon = 0.0f});
    }
  });
}

TEST_CASE("rms_norm: large outputs, which are written past the caches") {
  on_every_target([](Runtime& runtime) {
    check(runtime, {.spec = {.hidden_size = 4096}, .rows = 1200});
    check(runtime, {.spec = {.hidden_size = 1000}, .rows = 4500});
  });
}
