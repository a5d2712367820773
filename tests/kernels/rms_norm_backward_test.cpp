// rms_norm_backward on every device at hand, against double precision. Each case is launched twice and must
// give the same bits.
#include "tests/kernels/rms_norm_backward_case.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/every_target.h"
#include "tests/support/guarded_buffer.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

void check(Runtime& runtime, const RmsNormBackwardCase& test) {
  const std::string wrong = run_rms_norm_backward(runtime, test);
  CHECK(wrong == "");
}

const DType kDTypes[] = {f32, f16, bf16};

}  // namespace

TEST_CASE("rms_norm_backward: every dtype, casting and kind of weight, the other options in turn") {
  on_every_target([](Runtime& runtime) {
    std::uint32_t seed = 1;
    const std::int64_t sizes[] = {123, 1024, 512, 41};
    for (const DType dtype : kDTypes) {
      for (const Casting casting : {Casting::llama, Casting::gemma, Casting::none}) {
        // None; the same dtype; another dtype; with offset.
        for (int weight = 0; weight < 4; ++weight) {
          RmsNormBackwardCase test{.spec = {.hidden_size = sizes[seed / 3 % 4], .dtype = dtype}, .rows = 5};
          test.spec.casting = casting;
          test.spec.has_weight = weight != 0;
          if (weight == 2) test.spec.weight_dtype = dtype == f32 ? bf16 : f32;
          if (weight == 3) test.spec.weight_offset = 1.0;
          test.spec.has_dresidual = seed % 3 == 0;
          test.spec.load_rstd = seed % 5 < 3;
          if (weight != 0) {
            test.spec.accumulate_dw = seed % 4 < 2;
            if (seed % 7 < 3) test.spec.dw_dtype = f32;
          }
          test.seed = seed++;
          check(runtime, test);
        }
      }
    }
  });
}

TEST_CASE("rms_norm_backward: gradients that are left out, at every shape of work") {
  on_every_target([](Runtime& runtime) {
    for (const std::int64_t size : {96, 1500, 40000}) {
      for (const bool load_rstd : {true, false}) {
        for (const bool store_dx : {true, false}) {
          RmsNormBackwardCase test{
              .spec = {.hidden_size = size, .load_rstd = load_rstd, .store_dx = store_dx}};
          test.spec.store_dw = !store_dx;
          check(runtime, test);
        }
        check(runtime, {.spec = {.hidden_size = size, .has_dresidual = true, .load_rstd = load_rstd},
                        .rows = size > 10000 ? 2 : 7});
      }
    }
  });
}

TEST_CASE("rms_norm_backward: every size") {
  on_every_target([](Runtime& runtime) {
    for (const std::int64_t size :
         {1,    2,    3,    7,     8,     31,    64,    111,   123,   256,    500,
          512,  513,  760,  1023,  1128,  192,   3072,  3584,  1025,  2050,   4096,
          4097, 8192, 8194, 16384, 16385, 16400, 32768, 65536, 65537, 131072, 262144}) {
      check(runtime, {.spec = {.hidden_size = size},
                      .rows = size > 60000   ? 1
                              : size > 10000 ? 2
                                             : 5,
                      .seed = static_cast<std::uint32_t>(size)});
    }
    for (const std::int64_t size : {5, 256, 260, 1000, 4096, 8192, 8196, 65540}) {
      check(runtime, {.spec = {.hidden_size = size, .dtype = f32, .has_dresidual = true, .load_rstd = false},
                      .rows = size > 10000 ? 2 : 5});
      check(runtime, {.spec = {.hidden_size = size,
                               .dtype = f16,
                               .weight_dtype = f32,
                               .casting = Casting::llama,
                               .accumulate_dw = true},
                      .rows = size > 10000 ? 2 : 5});
    }
  });
}

TEST_CASE("rms_norm_backward: any number of rows, none included") {
  on_every_target([](Runtime& runtime) {
    for (const Index rows : {0, 1, 2, 19, 199, 989}) {
      for (const std::int64_t size : {3, 128, 500})
        check(runtime, {.spec = {.hidden_size = size}, .rows = rows});
    }
    check(runtime, {.spec = {.hidden_size = 4096}, .rows = 300});
    for (const std::int64_t size : {64, 40000}) {
      check(runtime, {.spec = {.hidden_size = size}, .rows = 0});
      check(runtime, {.spec = {.hidden_size = size, .accumulate_dw = true}, .rows = 0});
      check(runtime, {.spec = {.hidden_size = size, .store_dw = false}, .rows = 0});
    }
  });
}

TEST_CASE("rms_norm_backward: rows and heads at any stride, weights per head") {
  on_every_target([](Runtime& runtime) {
    for (const std::int64_t size : {111, 512, 1500}) {
      check(runtime, {.spec = {.hidden_size = size, .has_dresidual = true}, .rows = 19, .row_padding = 64});
    }
    for (const std::int64_t size : {64, 128, 1500, 20000}) {
      for (const bool per_head : {false, true}) {
        const RmsNormBackwardSpec spec{.hidden_size = size,
                                       .heads = 3,
                                       .weight_per_head = per_head,
                                       .has_dresidual = true,
                                       .accumulate_dw = per_head};
        check(runtime, {.spec = spec, .rows = size > 10000 ? 2 : 13, .row_padding = 16, .head_padding = 48});
        check(runtime, {.spec = spec, .rows = size > 10000 ? 2 : 13, .heads_outside = true});
      }
    }
    check(runtime, {.spec = {.hidden_size = 128, .heads = 40, .weight_per_head = true, .load_rstd = false},
                    .rows = 33});
  });
}

TEST_CASE("rms_norm_backward: tensors at any address that the spec's alignment allows") {
  on_every_target([](Runtime& runtime) {
    for (const DType dtype : kDTypes) {
      for (auto alignment = static_cast<std::int64_t>(size_of(dtype)); alignment <= 16; alignment *= 2) {
        RmsNormBackwardCase test{
            .spec = {.hidden_size = 1024, .dtype = dtype, .has_dresidual = true, .alignment = alignment}};
        test.spec.weight_dtype = dtype == f32 ? f16 : f32;
        test.offset_elements = static_cast<int>(alignment / static_cast<std::int64_t>(size_of(dtype)));
        check(runtime, test);
      }
    }
    check(runtime, {.spec = {.hidden_size = 1001, .alignment = 16}, .row_padding = 7});
  });
}

TEST_CASE("rms_norm_backward: dx may be what it is made of") {
  on_every_target([](Runtime& runtime) {
    for (const std::int64_t size : {129, 1024, 40000}) {
      for (const DxPlace place : {DxPlace::dy, DxPlace::x, DxPlace::dresidual}) {
        check(runtime,
              {.spec = {.hidden_size = size, .has_dresidual = true, .load_rstd = place != DxPlace::x},
               .dx = place});
      }
    }
  });
}

TEST_CASE("rms_norm_backward: values at the ends of the range") {
  on_every_target([](Runtime& runtime) {
    for (const DType dtype : kDTypes) {
      for (const Values values : {Values::large, Values::tiny, Values::zero, Values::not_finite}) {
        for (const Casting casting : {Casting::llama, Casting::gemma, Casting::none}) {
          check(runtime, {.spec = {.hidden_size = 500,
                                   .dtype = dtype,
                                   .casting = casting,
                                   .load_rstd = casting == Casting::gemma},
                          .values = values});
        }
      }
    }
  });
}

TEST_CASE("rms_norm_backward: large outputs, which are written past the caches") {
  on_every_target([](Runtime& runtime) {
    if (runtime.target().backend != Backend::cpu) return;
    check(runtime, {.spec = {.hidden_size = 4096, .has_dresidual = true}, .rows = 1200});
    check(runtime, {.spec = {.hidden_size = 1000}, .rows = 4500});
  });
}
