// attention at lengths that an emulated GPU would take minutes for, and where a CPU's threads have little
// stack.
#include <pthread.h>

#include <cstdint>
#include <string>

#include "tests/kernels/attention_case.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

/// On CPUs only.
template <class Body>
void on_every_cpu(Body body) {
  on_every_target([&](Runtime& runtime) {
    if (runtime.target().backend == Backend::cpu) body(runtime);
  });
}

void check(Runtime& runtime, const AttentionCase& test) {
  const std::string wrong = run_attention(runtime, test);
  CHECK(wrong == "");
}

struct SmallThread {
  Runtime* runtime;
  const AttentionCase* test;
  std::string wrong;
};

void* run_in_thread(void* given) {
  auto& thread = *static_cast<SmallThread*>(given);
  thread.wrong = run_attention(*thread.runtime, *thread.test);
  return nullptr;
}

}  // namespace

TEST_CASE("attention: thousands of keys") {
  on_every_cpu([](Runtime& runtime) {
    AttentionSpec decode{.query_heads = 8,
                         .kv_heads = 2,
                         .head_dim = 128,
                         .dtype = f16,
                         .phase = AttentionPhase::decode,
                         .has_soft_cap = true,
                         .store_lse = true};
    check(runtime, {.spec = decode, .requests = {{1, 33001}, {1, 81}}, .soft_cap = 30});
    decode.has_soft_cap = false;
    decode.storage = KvStorage::paged;
    decode.page_size = 1;
    check(runtime, {.spec = decode, .requests = {{1, 13353}, {1, 235}, {5, 4099}}});
    AttentionSpec prefill{.query_heads = 7, .kv_heads = 1, .head_dim = 64, .mask = AttentionMask::causal};
    check(runtime, {.spec = prefill, .requests = {{577, 3771}, {1024, 4932}}});
  });
}

TEST_CASE("attention: the largest tiles run in a thread with a megabyte of stack") {
  on_every_cpu([](Runtime& runtime) {
    AttentionCase test{.spec = {.query_heads = 64,
                                .kv_heads = 1,
                                .head_dim = 576,
                                .value_dim = 512,
                                .rest_dim = 64,
                                .values_are_keys = true}};
    test.spec.hooks.key = "return value * 0.5f;";
    test.key_hook = [](double value, int, std::int64_t) { return value * 0.5; };
    test.requests = {{2, 70}};
    // Compilers take more.
    REQUIRE(runtime.get(test.spec).has_value());
    SmallThread thread{&runtime, &test, "it did not run"};
    pthread_attr_t attributes;
    REQUIRE(pthread_attr_init(&attributes) == 0);
    REQUIRE(pthread_attr_setstacksize(&attributes, 1 << 20) == 0);
    pthread_t number{};
    REQUIRE(pthread_create(&number, &attributes, run_in_thread, &thread) == 0);
    REQUIRE(pthread_join(number, nullptr) == 0);
    pthread_attr_destroy(&attributes);
    CHECK(thread.wrong == "");
  });
}
