#include "codegen/ops/attention.h"

#include <string>

#include "tests/support/catch.h"

using namespace lathe;
using namespace lathe::codegen;

namespace {

AttentionSpec sample() {
  return {.query_heads = 32, .kv_heads = 8, .head_dim = 128};
}

AttentionSpec normalized(const AttentionSpec& spec) {
  return std::get<AttentionSpec>(normalize_attention(spec).value());
}

std::string refusal(const AttentionSpec& spec) {
  const auto result = normalize_attention(spec);
  REQUIRE(!result);
  CHECK(result.error().code == ErrorCode::invalid_spec);
  CHECK(result.error().stage == Stage::validate);
  return result.error().message;
}

}  // namespace

TEST_CASE("attention's defaults are resolved, once") {
  const AttentionSpec spec = normalized(sample());
  CHECK(spec.value_dim == 128);
  CHECK(spec.kv_dtype == bf16);
  CHECK(spec.alignment == 16);
  CHECK(normalized(spec) == spec);
  AttentionSpec odd = sample();
  odd.head_dim = 72;
  CHECK(normalized(odd).alignment == 16);
  odd.kv_dtype = e4m3;
  CHECK(normalized(odd).alignment == 8);
}

TEST_CASE("attention: any ratio of heads, every dimension that is a multiple of 8") {
  for (const std::int64_t group : {1, 2, 3, 5, 6, 7, 8, 16, 128}) {
    AttentionSpec spec = sample();
    spec.query_heads = 2 * group;
    spec.kv_heads = 2;
    CHECK(group_of(normalized(spec)) == group);
  }
  for (std::int64_t dim = 32; dim <= 256; dim += 8) {
    AttentionSpec spec = sample();
    spec.head_dim = dim;
    spec.value_dim = 288 - dim;
    CHECK(normalized(spec).value_dim == 288 - dim);
  }
  CHECK(normalized({.query_heads = 128,
                    .kv_heads = 1,
                    .head_dim = 576,
                    .value_dim = 512,
                    .rest_dim = 64,
                    .values_are_keys = true})
            .alignment == 16);
}

TEST_CASE("attention: what makes no sense is refused") {
  const auto with = [](auto change) {
    AttentionSpec spec = sample();
    change(spec);
    return refusal(spec);
  };
  CHECK(with([](auto& s) { s.kv_heads = 5; }) ==
        "attention: query_heads is 32, not a multiple of kv_heads, which is 5");
  CHECK(with([](auto& s) { s.head_dim = 100; }) ==
        "attention: head_dim is 100, allowed are multiples of 8 from 32 to 256, and 576");
  CHECK(with([](auto& s) { s.head_dim = 576; }) ==
        "attention: value_dim is 576, allowed are multiples of 8 from 32 to 256, and 512");
  CHECK(with([](auto& s) { s.rest_dim = 12; }) ==
        "attention: rest_dim is 12, allowed are multiples of 8 below head_dim, which is 128");
  CHECK(with([](auto& s) {
          s.rest_dim = 64;
          s.values_are_keys = true;
        }) ==
        "attention: value_dim is 128, but k has 64 elements per head (head_dim - rest_dim), of which "
        "values_are_keys takes the first");
  CHECK(with([](auto& s) { s.storage = KvStorage::paged; }) ==
        "attention: storage is paged, but page_size is not given");
  CHECK(with([](auto& s) { s.page_size = 16; }) == "attention: page_size is 16, but storage is ragged");
  CHECK(with([](auto& s) { s.kv_dtype = f16; }) ==
        "attention: kv_dtype is f16, dtype is bf16: allowed are dtype, e4m3 and e5m2");
  CHECK(with([](auto& s) { s.dtype = f32; }) == "attention: dtype is f32, allowed are f16, bf16");
  CHECK(with([](auto& s) { s.alignment = 1; }) ==
        "attention: alignment is 1 bytes, less than an element of bf16, which has 2");
  CHECK(with([](auto& s) {
          s.rope = RopeFrequencies{};
          s.rest_dim = 64;
          s.value_dim = 64;
        }) == "attention: rope is given, and rest_dim is not 0");
}
