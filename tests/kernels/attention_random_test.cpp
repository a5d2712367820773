// attention with specs and batches drawn from all that is allowed.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

#include "codegen/canonical.h"
#include "tests/kernels/attention_case.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

class Draw {
 public:
  explicit Draw(std::uint32_t seed) : random_(seed) {}
  std::int64_t up_to(std::int64_t most) { return static_cast<std::int64_t>(random_() % (most + 1)); }
  bool one_in(std::int64_t count) { return up_to(count - 1) == 0; }
  template <class T, std::size_t n>
  T of(const T (&choices)[n]) {
    return choices[up_to(n - 1)];
  }

 private:
  std::mt19937 random_;
};

/// Each kind now and then, with any of the others.
void draw_hooks(Draw& draw, AttentionCase& test) {
  AttentionHooks& hooks = test.spec.hooks;
  if (draw.one_in(8)) {
    hooks.logits = "return logit * 0.5f;";
    test.logits_hook = [](double logit, std::int64_t) { return logit * 0.5; };
  }
  if (draw.one_in(8)) {
    hooks.mask = "return (at.query + at.key) % 7 != 3;";
    test.mask_hook = [](std::int64_t query, std::int64_t key) { return (query + key) % 7 != 3; };
  }
  if (draw.one_in(8)) {
    hooks.query = "return dim % 2 == 0 ? value * 2.0f : value;";
    test.query_hook = [](double value, int dim, std::int64_t) { return dim % 2 == 0 ? value * 2 : value; };
  }
  if (draw.one_in(8)) {
    hooks.key = "return dim < 16 ? value * 0.5f : value;";
    test.key_hook = [](double value, int dim, std::int64_t) { return dim < 16 ? value * 0.5 : value; };
  }
  if (draw.one_in(8)) {
    hooks.output = "return value + 1.0f;";
    test.output_hook = [](double value, int, std::int64_t) { return value + 1; };
  }
}

AttentionCase drawn(std::uint32_t seed) {
  Draw draw(seed);
  AttentionCase test;
  AttentionSpec& spec = test.spec;
  spec.kv_heads = 1 + draw.up_to(2);
  spec.query_heads = spec.kv_heads * (1 + draw.up_to(8));
  // The wide ones now and then: they take their time.
  const auto dim = [&] { return 32 + 8 * draw.up_to(draw.one_in(6) ? 28 : 12); };
  spec.head_dim = dim();
  if (draw.one_in(3)) spec.value_dim = dim();
  spec.dtype = draw.one_in(2) ? f16 : bf16;
  if (draw.one_in(3)) spec.kv_dtype = draw.one_in(2) ? e4m3 : e5m2;
  spec.kv_scale =
      draw.of({AttentionScale::none, AttentionScale::none, AttentionScale::tensor, AttentionScale::head});
  spec.phase = draw.one_in(2) ? AttentionPhase::decode : AttentionPhase::prefill;
  spec.storage = draw.of({KvStorage::contiguous, KvStorage::ragged, KvStorage::paged, KvStorage::paged});
  if (spec.storage == KvStorage::paged) spec.page_size = 1 + draw.up_to(40);
  spec.index_dtype = draw.one_in(2) ? i64 : i32;
  spec.mask =
      draw.of({AttentionMask::none, AttentionMask::causal, AttentionMask::causal, AttentionMask::custom});
  spec.has_window = draw.one_in(4);
  spec.has_soft_cap = draw.one_in(4);
  spec.has_alibi = draw.one_in(4);
  spec.has_sinks = draw.one_in(4);
  spec.store_lse = draw.one_in(2);
  if (draw.one_in(3)) {
    const auto element = static_cast<std::int64_t>(size_of(spec.kv_dtype.value_or(spec.dtype)));
    spec.alignment = std::max(element, std::int64_t{1} << draw.up_to(3));
    // Strides that are odd multiples of it as well, where elements are as wide.
    test.is_barely_aligned = true;
    test.padding = spec.alignment / element * (1 + 2 * draw.up_to(5));
  }
  if (draw.one_in(8)) spec.values_are_keys = true;
  if (spec.values_are_keys) {
    spec.value_dim = 32 + 8 * draw.up_to((spec.head_dim - 32) / 8);
    if (draw.one_in(2) && spec.head_dim - spec.value_dim >= 8) spec.rest_dim = 8;
  }
  if (spec.rest_dim == 0 && draw.one_in(5)) spec.rope = RopeFrequencies{};
  draw_hooks(draw, test);
  test.requests.clear();
  for (std::int64_t i = draw.up_to(3); i >= 0; --i)
    test.requests.push_back({draw.up_to(spec.phase == AttentionPhase::prefill ? 50 : 3), draw.up_to(200)});
  if (draw.one_in(2)) test.plan.fixed_split = 64 * (1 + draw.up_to(2));
  test.heads_outside = draw.one_in(2);
  test.fused = draw.one_in(3);
  if (test.padding == 0 && draw.one_in(3)) test.padding = 16;
  test.window_left = draw.up_to(80);
  test.soft_cap = 5.0f;
  test.seed = seed;
  return test;
}

}  // namespace

TEST_CASE("attention: random specs and batches") {
  // Another run of numbers, or one number again: LATHE_TEST_SEED=N.
  const char* given = std::getenv("LATHE_TEST_SEED");
  const auto first = given == nullptr ? 1U : static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10));
  on_every_target([&](Runtime& runtime) {
    for (std::uint32_t seed = first; seed < first + 24; ++seed) {
      INFO("seed " << seed);
      const std::string wrong = run_attention(runtime, drawn(seed));
      CHECK(wrong == "");
    }
  });
}
