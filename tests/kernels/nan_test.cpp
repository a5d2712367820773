// A NaN stays one, whatever its bits: rounding one to bf16 as if it were a number may carry into its sign and
// leave a zero.
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/every_target.h"
#include "tests/support/guarded_buffer.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

/// NaNs of a dtype, then a one.
std::vector<std::uint32_t> nans_of(DType dtype) {
  if (dtype == f32) return {0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001, 0x7FFF8000, 0x3F800000};
  if (dtype == f16) return {0x7FFF, 0xFFFF, 0x7C01, 0x7E00, 0x3C00};
  return {0x7FFF, 0xFFFF, 0x7F81, 0x7FC0, 0x3F80};
}

/// `count` elements of which the first few are the dtype's NaNs, the others ones.
std::vector<std::byte> row_of(DType dtype, std::size_t count, bool with_nans) {
  const auto nans = nans_of(dtype);
  std::vector<std::byte> bytes(count * size_of(dtype));
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t bits = with_nans && i < nans.size() ? nans[i] : nans.back();
    std::memcpy(&bytes[i * size_of(dtype)], &bits, size_of(dtype));  // little-endian
  }
  return bytes;
}

class Row : public GuardedBuffer {
 public:
  Row(Runtime& runtime, DType dtype, std::size_t count, bool with_nans)
      : GuardedBuffer(runtime, count * size_of(dtype)) {
    upload(row_of(dtype, count, with_nans).data());
  }
};

/// Of a row of bf16, which elements are NaN.
std::vector<bool> are_nan(const GuardedBuffer& row) {
  const auto bytes = row.download();
  std::vector<bool> result;
  for (std::size_t at = 0; at < bytes.size(); at += 2) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, &bytes[at], 2);
    result.push_back((bits & 0x7FFF) > 0x7F80);
  }
  return result;
}

constexpr std::size_t kCount = 37;

std::vector<bool> first_four(std::size_t count) {
  std::vector<bool> expected(count);
  for (std::size_t i = 0; i < 4; ++i) expected[i] = true;
  return expected;
}

}  // namespace

TEST_CASE("rms_norm: a NaN in the weight stays one, whatever its bits") {
  on_every_target([](Runtime& runtime) {
    for (const DType weight_dtype : {f32, f16, bf16}) {
      for (const Casting casting : {Casting::llama, Casting::gemma, Casting::none}) {
        const RmsNormSpec spec{
            .hidden_size = kCount, .dtype = bf16, .weight_dtype = weight_dtype, .casting = casting};
        const Row x(runtime, bf16, kCount, false), y(runtime, bf16, kCount, true);
        const Row weight(runtime, weight_dtype, kCount, true);
        const auto kernel = runtime.get(spec).value();
        REQUIRE(kernel.launch({.x = x.data(), .weight = weight.data(), .y = y.data(), .rows = 1}, {})
                    .has_value());
        REQUIRE(runtime.synchronize({}).has_value());
        CHECK(are_nan(y) == first_four(kCount));
      }
    }
  });
}

TEST_CASE("rms_norm: a NaN in a row makes it one, whatever its bits") {
  on_every_target([](Runtime& runtime) {
    for (const DType dtype : {f32, f16, bf16}) {
      const RmsNormSpec spec{.hidden_size = kCount, .dtype = dtype, .y_dtype = bf16};
      const Row x(runtime, dtype, kCount, true), y(runtime, bf16, kCount, false);
      const Row weight(runtime, dtype, kCount, false);
      const auto kernel = runtime.get(spec).value();
      REQUIRE(
          kernel.launch({.x = x.data(), .weight = weight.data(), .y = y.data(), .rows = 1}, {}).has_value());
      REQUIRE(runtime.synchronize({}).has_value());
      CHECK(are_nan(y) == std::vector<bool>(kCount, true));
    }
  });
}

TEST_CASE("rope: a NaN in a table or a norm's weight stays one, whatever its bits") {
  on_every_target([](Runtime& runtime) {
    constexpr std::size_t kDim = 64, kPairs = kDim / 2;
    const Row q(runtime, bf16, kDim, false), q_out(runtime, bf16, kDim, true);
    GuardedBuffer positions(runtime, 8);
    const std::int64_t first = 0;
    positions.upload(&first);
    RopeArgs args{.q = q.data(), .q_out = q_out.data(), .positions = positions.data(), .tokens = 1};
    args.table_rows = 1;
    for (const DType dtype : {f32, f16, bf16}) {
      const Row nans(runtime, dtype, kPairs, true), ones(runtime, dtype, kPairs, false);
      args.cos = nans.data();
      args.sin = ones.data();
      const auto rotate =
          runtime.get(RopeSpec{.heads = 1, .head_dim = kDim, .dtype = bf16, .table_dtype = dtype}).value();
      REQUIRE(rotate.launch(args, {}).has_value());
      REQUIRE(runtime.synchronize({}).has_value());
      auto expected = first_four(kDim);  // and those that they are paired with
      for (std::size_t i = 0; i < 4; ++i) expected[kPairs + i] = true;
      CHECK(are_nan(q_out) == expected);

      const Row weight(runtime, dtype, kDim, true);
      args.q_norm_weight = weight.data();
      RopeSpec spec{.heads = 1, .head_dim = kDim, .dtype = bf16, .qk_norm = true};
      spec.norm_weight_dtype = dtype;
      const auto normed = runtime.get(spec).value();
      REQUIRE(normed.launch(args, {}).has_value());
      REQUIRE(runtime.synchronize({}).has_value());
      CHECK(are_nan(q_out) == expected);
    }
  });
}

TEST_CASE("attention_merge: a NaN in a log-sum-exp stays one, in the result and in its own") {
  on_every_target([](Runtime& runtime) {
    constexpr std::size_t kDim = 32;
    const float no_number[] = {std::bit_cast<float>(0x7FFFFFFFu), std::numeric_limits<float>::infinity()};
    for (const float lse : no_number) {
      const Row parts(runtime, bf16, 2 * kDim, false), o(runtime, bf16, kDim, false);
      GuardedBuffer lse_parts(runtime, 8), lse_out(runtime, 4);
      const float given[] = {lse, 0.0f}, before = 7.0f;
      lse_parts.upload(given);
      lse_out.upload(&before);
      const AttentionMergeSpec spec{.heads = 1, .value_dim = kDim, .form = MergeForm::stacked};
      const auto kernel = runtime.get(spec).value();
      const AttentionMergeArgs args{.o_parts = parts.data(),
                                    .lse_parts = static_cast<const float*>(lse_parts.data()),
                                    .o = o.data(),
                                    .lse = static_cast<float*>(lse_out.data()),
                                    .tokens = 1,
                                    .parts = 2};
      REQUIRE(kernel.launch(args, {}).has_value());
      REQUIRE(runtime.synchronize({}).has_value());
      CHECK(are_nan(o) == std::vector<bool>(kDim, true));
      float merged = 0;
      std::memcpy(&merged, lse_out.download().data(), sizeof merged);
      CHECK(std::isnan(merged));
    }
  });
}
