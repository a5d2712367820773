// What rms_norm writes besides plain rows: fp8 with every kind of scale, other dtypes; and weights per head.
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
const OutputScale kScales[] = {OutputScale::none, OutputScale::given, OutputScale::per_tensor,
                               OutputScale::per_row, OutputScale::per_block};

}  // namespace

TEST_CASE("rms_norm: fp8 of every dtype, scale and casting, each with every residual") {
  on_every_target([](Runtime& runtime) {
    std::uint32_t seed = 1;
    for (int dtype = 0; dtype < 3; ++dtype) {
      for (int scale = 0; scale < 5; ++scale) {
        for (int casting = 0; casting < 3; ++casting) {
          RmsNormCase test{.spec = {.hidden_size = seed % 2 == 0 ? 387 : 1152, .dtype = kDTypes[dtype]}};
          test.spec.casting = static_cast<Casting>(casting);
          test.spec.residual = static_cast<Residual>((dtype + scale + casting) % 3);
          test.spec.y_dtype = seed % 4 < 2 ? e5m2 : e4m3;
          test.spec.y_scale = kScales[scale];
          test.spec.round_to_dtype = seed % 5 < 2;
          test.spec.weight_offset = seed % 5 == 0 ? 1.0 : 0.0;
          test.spec.store_rstd = seed % 7 == 0;
          test.scale = seed % 3 == 0 ? 1.0 : seed % 3 == 1 ? 0.01 : 10.0;
          test.seed = seed++;
          check(runtime, test);
        }
      }
    }
  });
}

TEST_CASE("rms_norm: fp8 of every shape of work") {
  on_every_target([](Runtime& runtime) {
    const auto run = [&](std::int64_t size, OutputScale scale) {
      check(runtime, {.spec = {.hidden_size = size,
                               .residual = size % 3 == 0 ? Residual::norm_then_round : Residual::none,
                               .y_dtype = e4m3,
                               .y_scale = scale},
                      .rows = size > 10000 ? 2 : 5,
                      .seed = static_cast<std::uint32_t>(size)});
    };
    for (const std::int64_t size :
         {1, 3, 31, 100, 127, 129, 130, 132, 136, 1000, 1023, 1025, 1026, 2052, 4096, 33000, 65536}) {
      run(size, OutputScale::per_block);
    }
    for (const std::int64_t size : {7, 511, 1000, 4099, 33000, 65536}) {
      for (const OutputScale scale : {OutputScale::given, OutputScale::per_tensor, OutputScale::per_row})
        run(size, scale);
    }
    // Rows that are read again where there are no clusters, with as narrow accesses as there are.
    run(65537, OutputScale::per_block);
  });
}

TEST_CASE("rms_norm: fp8 at any alignment and stride, with scales in any order") {
  on_every_target([](Runtime& runtime) {
    for (const DType dtype : {f32, bf16}) {
      for (auto alignment = static_cast<std::int64_t>(size_of(dtype)); alignment <= 16; alignment *= 2) {
        for (const OutputScale scale : {OutputScale::per_row, OutputScale::per_block}) {
          RmsNormCase test{.spec = {.hidden_size = 1536,
                                    .dtype = dtype,
                                    .y_dtype = e4m3,
                                    .y_scale = scale,
                                    .alignment = alignment},
                           .row_padding = 16};
          test.offset_elements = static_cast<int>(alignment / static_cast<std::int64_t>(size_of(dtype)));
          check(runtime, test);
        }
      }
    }
    for (const std::int64_t size : {64, 128, 256, 300}) {
      for (const bool outside : {false, true}) {
        RmsNormCase test{
            .spec = {.hidden_size = size, .heads = 5}, .rows = 7, .row_padding = 32, .head_padding = 16};
        test.spec.y_dtype = e4m3;
        test.spec.y_scale = OutputScale::per_block;
        test.blocks_outside = outside;
        check(runtime, test);
      }
    }
  });
}

TEST_CASE("rms_norm: fp8 of values at the ends of the range") {
  on_every_target([](Runtime& runtime) {
    for (const DType dtype : {f32, f16, bf16}) {
      for (const Values values :
           {Values::large, Values::overflowing, Values::tiny, Values::zero, Values::not_finite}) {
        for (const OutputScale scale : kScales) {
          RmsNormCase test{.spec = {.hidden_size = 200, .dtype = dtype, .y_dtype = e4m3, .y_scale = scale}};
          test.values = values;
          test.scale = 1e-6;  // everything saturates
          check(runtime, test);
        }
      }
    }
  });
}

TEST_CASE("rms_norm: any dtype of y") {
  on_every_target([](Runtime& runtime) {
    std::uint32_t seed = 1;
    for (const DType dtype : {f32, f16, bf16}) {
      for (const DType y_dtype : {f32, f16, bf16}) {
        for (const Casting casting : {Casting::llama, Casting::gemma, Casting::none}) {
          RmsNormCase test{.spec = {.hidden_size = seed % 2 == 0 ? 65 : 1032, .dtype = dtype}};
          test.spec.y_dtype = y_dtype;
          test.spec.casting = casting;
          test.spec.round_to_dtype = seed % 3 == 0;
          test.seed = seed++;
          check(runtime, test);
        }
      }
    }
  });
}

TEST_CASE("rms_norm: weights per head") {
  on_every_target([](Runtime& runtime) {
    for (const DType dtype : {f32, bf16}) {
      for (const std::int64_t size : {65, 128, 1500}) {
        RmsNormCase test{.spec = {.hidden_size = size, .dtype = dtype, .heads = 7, .weight_per_head = true},
                         .rows = 9};
        check(runtime, test);
        test.spec.weight_dtype = dtype == f32 ? bf16 : f32;
        test.spec.weight_offset = 1.0;
        test.heads_outside = true;
        check(runtime, test);
      }
    }
  });
}

TEST_CASE("rms_norm: large fp8 outputs, which are written past the caches") {
  on_every_target([](Runtime& runtime) {
    check(runtime,
          {.spec = {.hidden_size = 4096, .y_dtype = e4m3, .y_scale = OutputScale::per_row}, .rows = 2200});
  });
}
