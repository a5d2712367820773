// attention's options, alone and together, on every device at hand.
#include <cmath>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "tests/kernels/attention_case.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

void check(Runtime& runtime, const AttentionCase& test) {
  const std::string wrong = run_attention(runtime, test);
  CHECK(wrong == "");
}

constexpr AttentionPhase kPhases[] = {AttentionPhase::prefill, AttentionPhase::decode};

AttentionCase sample(AttentionPhase phase) {
  AttentionCase test{
      .spec = {.query_heads = 8, .kv_heads = 2, .head_dim = 64, .phase = phase, .store_lse = true}};
  test.requests = phase == AttentionPhase::prefill
                      ? std::vector<AttentionLengths>{{37, 99}, {5, 150}}
                      : std::vector<AttentionLengths>{{1, 99}, {1, 150}, {2, 70}};
  return test;
}

}  // namespace

TEST_CASE("attention: sliding windows") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : kPhases) {
      for (const std::int64_t window : {0, 3, 13, 43, 64, 200}) {
        AttentionCase test = sample(phase);
        test.spec.has_window = true;
        test.spec.mask = window % 2 == 0 ? AttentionMask::none : AttentionMask::causal;
        test.window_left = window;
        if (window == 13) {
          test.spec.storage = KvStorage::paged;
          test.spec.page_size = 16;
          test.plan.fixed_split = 64;
        }
        check(runtime, test);
      }
    }
  });
}

TEST_CASE("attention: soft caps, slopes and sinks, alone and together") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : kPhases) {
      for (unsigned options = 1; options < 8; ++options) {
        AttentionCase test = sample(phase);
        test.spec.has_soft_cap = (options & 1) != 0;
        test.spec.has_alibi = (options & 2) != 0;
        test.spec.has_sinks = (options & 4) != 0;
        test.spec.mask = options % 2 == 0 ? AttentionMask::causal : AttentionMask::none;
        test.soft_cap = options == 1 ? 1.0f : 30.0f;
        test.query_size = 3;
        if (options > 4) test.plan.fixed_split = 64;
        test.seed = options;
        check(runtime, test);
      }
      // Of several lengths, and within a window.
      AttentionCase windowed = sample(phase);
      windowed.spec.has_sinks = windowed.spec.has_window = true;
      windowed.spec.mask = AttentionMask::causal;
      windowed.window_left = 31;
      windowed.requests = {{13, 50}, {25, 150}, {12, 50}};
      check(runtime, windowed);
      // So wide a cap that all logits are small beside it.
      AttentionCase wide = sample(phase);
      wide.spec.dtype = f16;
      wide.spec.has_soft_cap = true;
      wide.soft_cap = 1e5f;
      wide.query_size = 8;
      check(runtime, wide);
      // A sink alone takes all weight of rows that see nothing.
      AttentionCase test = sample(phase);
      test.spec.has_sinks = true;
      test.spec.mask = AttentionMask::causal;
      test.requests = {{6, 2}, {3, 0}};
      check(runtime, test);
    }
  });
}

TEST_CASE("attention: custom masks that say what causal ones do, and of items behind a common prefix") {
  on_every_target([](Runtime& runtime) {
    for (const KvStorage storage : {KvStorage::ragged, KvStorage::paged}) {
      AttentionCase test = sample(AttentionPhase::prefill);
      test.spec.mask = AttentionMask::custom;
      test.spec.storage = storage;
      test.spec.page_size = storage == KvStorage::paged ? 5 : 0;
      test.requests = {{37, 54}};
      test.custom_mask = [](std::int64_t query, std::int64_t key) { return key <= query + 54 - 37; };
      check(runtime, test);
      // 17 tokens of prefix, then items of 9 that see it and themselves, of which all but the prefix are
      // queries.
      test.spec.has_alibi = test.spec.has_soft_cap = storage == KvStorage::ragged;
      test.soft_cap = 30.0f;
      test.custom_mask = [](std::int64_t query, std::int64_t key) {
        return key < 17 || (key <= query + 17 && (key - 17) / 9 == query / 9);
      };
      check(runtime, test);
    }
  });
}

TEST_CASE("attention: keys and values in fp8") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : kPhases) {
      for (const DType stored : {e4m3, e5m2}) {
        for (const AttentionScale scale :
             {AttentionScale::none, AttentionScale::tensor, AttentionScale::head}) {
          AttentionCase test = sample(phase);
          test.spec.kv_dtype = stored;
          test.spec.kv_scale = scale;
          test.spec.dtype = scale == AttentionScale::tensor ? f16 : bf16;
          test.spec.head_dim = scale == AttentionScale::head ? 128 : 64;
          test.spec.mask = AttentionMask::causal;
          if (stored == e4m3) {
            test.spec.storage = KvStorage::paged;
            test.spec.page_size = 8;
          }
          check(runtime, test);
        }
      }
    }
    AttentionCase scaled = sample(AttentionPhase::prefill);
    scaled.spec.kv_scale = AttentionScale::head;
    check(runtime, scaled);
  });
}

TEST_CASE("attention: latent attention, whose values are the first part of its keys") {
  on_every_target([](Runtime& runtime) {
    for (const std::int64_t heads : {16, 128}) {
      for (const std::int64_t page_size : {1, 16}) {
        AttentionCase test{.spec = {.query_heads = heads,
                                    .kv_heads = 1,
                                    .head_dim = 576,
                                    .value_dim = 512,
                                    .rest_dim = 64,
                                    .values_are_keys = true,
                                    .phase = AttentionPhase::decode,
                                    .storage = KvStorage::paged,
                                    .page_size = page_size,
                                    .mask = AttentionMask::causal,
                                    .store_lse = true}};
        test.requests = {{1, 97}, {2, 33}, {1, 0}, {1, 1}};
        if (page_size == 16) test.plan.fixed_split = 64;
        check(runtime, test);
      }
    }
    AttentionCase prefill{.spec = {.query_heads = 64,
                                   .kv_heads = 1,
                                   .head_dim = 576,
                                   .value_dim = 512,
                                   .rest_dim = 64,
                                   .values_are_keys = true,
                                   .dtype = f16,
                                   .storage = KvStorage::paged,
                                   .page_size = 32,
                                   .store_lse = true}};
    prefill.requests = {{5, 11}, {1, 3}, {2, 114}};
    check(runtime, prefill);
    AttentionCase stored{.spec = {.query_heads = 16,
                                  .kv_heads = 1,
                                  .head_dim = 576,
                                  .value_dim = 512,
                                  .rest_dim = 64,
                                  .values_are_keys = true,
                                  .kv_dtype = e4m3,
                                  .kv_scale = AttentionScale::tensor}};
    stored.requests = {{3, 70}};
    check(runtime, stored);
  });
}

TEST_CASE("attention: values that are keys, of any dimensions") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : kPhases) {
      for (const auto& [head_dim, value_dim, rest_dim] :
           {std::tuple{64, 64, 0}, std::tuple{96, 64, 32}, std::tuple{256, 128, 0},
            std::tuple{192, 136, 56}}) {
        AttentionCase test = sample(phase);
        test.spec.kv_heads = 1;
        test.spec.head_dim = head_dim;
        test.spec.value_dim = value_dim;
        test.spec.rest_dim = rest_dim;
        test.spec.values_are_keys = true;
        test.spec.storage = KvStorage::paged;
        test.spec.page_size = 5;
        check(runtime, test);
      }
    }
  });
}

TEST_CASE("attention: hooks") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : kPhases) {
      AttentionCase test = sample(phase);
      test.spec.hooks.logits = "return logit * 0.5f + (at.key % 3 == 0 ? 1.0f : 0.0f);";
      test.logits_hook = [](double logit, std::int64_t key) { return logit * 0.5 + (key % 3 == 0 ? 1 : 0); };
      check(runtime, test);
      test.spec.hooks.mask = "return (at.key + at.query) % 5 != 2;  // sees most";
      test.mask_hook = [](std::int64_t query, std::int64_t key) { return (key + query) % 5 != 2; };
      test.spec.hooks.output = "return value * 2.0f + (float)dim + (float)at.query_head;";
      test.output_hook = [](double value, int dim, std::int64_t head) {
        return value * 2 + dim + static_cast<double>(head);
      };
      test.plan.fixed_split = 64;
      check(runtime, test);
    }
  });
}

TEST_CASE("attention: hooks on queries and keys") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : kPhases) {
      AttentionCase test = sample(phase);
      test.spec.head_dim = 72;
      test.spec.hooks.query = "return value * (dim % 2 == 0 ? 1.5f : 1.0f) + (float)(at.query % 2);";
      test.query_hook = [](double value, int dim, std::int64_t query) {
        return value * (dim % 2 == 0 ? 1.5 : 1.0) + static_cast<double>(query % 2);
      };
      check(runtime, test);
      test.spec.hooks.key = "return dim < 8 ? value + 0.25f * (float)(at.key % 4) : value;";
      test.key_hook = [](double value, int dim, std::int64_t key) {
        return dim < 8 ? value + 0.25 * static_cast<double>(key % 4) : value;
      };
      test.spec.kv_dtype = e4m3;
      test.spec.kv_scale = AttentionScale::head;
      check(runtime, test);
    }
  });
}

TEST_CASE("attention: rotary embeddings on the fly") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : kPhases) {
      for (const std::int64_t head_dim : {64, 72}) {
        AttentionCase test = sample(phase);
        test.spec.head_dim = head_dim;
        test.spec.mask = AttentionMask::causal;
        test.spec.rope = RopeFrequencies{.theta = 500000.0};
        if (head_dim == 72) {
          // More queries than keys: the first stand before position 0.
          test.requests = {{7, 3}, {2, 90}};
          test.spec.rope =
              RopeFrequencies{.scaling = RopeScaling::yarn, .factor = 4.0, .original_positions = 64};
          test.spec.kv_dtype = e5m2;
        }
        check(runtime, test);
      }
    }
  });
}

TEST_CASE("attention: rotary embeddings before hooks, and of keys that are values too") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : kPhases) {
      AttentionCase test = sample(phase);
      test.spec.dtype = f16;
      test.spec.storage = KvStorage::paged;
      test.spec.page_size = 5;
      test.spec.rope = RopeFrequencies{};
      test.plan.fixed_split = 64;
      // A hook sees what has been rotated; values come as they are stored.
      test.spec.hooks.query = "return dim < 16 ? value * 2.0f : value;";
      test.query_hook = [](double value, int dim, std::int64_t) { return dim < 16 ? value * 2 : value; };
      check(runtime, test);
      test.spec.hooks.key = "return dim >= 48 ? value + 0.5f : value;";
      test.key_hook = [](double value, int dim, std::int64_t) { return dim >= 48 ? value + 0.5 : value; };
      check(runtime, test);
      AttentionCase shared = sample(phase);
      shared.spec.head_dim = 96;
      shared.spec.value_dim = 40;
      shared.spec.values_are_keys = true;
      shared.spec.rope = RopeFrequencies{};
      check(runtime, shared);
    }
  });
}
