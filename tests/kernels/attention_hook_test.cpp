// What hooks of attention may do: read data of the caller's, stand between any other options, give numbers of
// any size, and make of a softmax something else.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <lathe/attention_plan.h>

#include "tests/kernels/attention_case.h"
#include "tests/kernels/attention_tensors.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"
#include "tests/support/guarded_buffer.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

constexpr AttentionPhase kPhases[] = {AttentionPhase::prefill, AttentionPhase::decode};

AttentionCase sample(AttentionPhase phase) {
  AttentionCase test{
      .spec = {.query_heads = 8, .kv_heads = 2, .head_dim = 72, .phase = phase, .store_lse = true}};
  test.spec.mask = AttentionMask::causal;
  test.requests = phase == AttentionPhase::prefill
                      ? std::vector<AttentionLengths>{{37, 99}, {5, 150}}
                      : std::vector<AttentionLengths>{{1, 99}, {1, 150}, {2, 70}};
  return test;
}

void check(Runtime& runtime, const AttentionCase& test) {
  const std::string wrong = run_attention(runtime, test);
  CHECK(wrong == "");
}

/// The largest difference of o * 2^lse from sums of sigmoid(logit + 0.25) * v, as a part of what it may be.
double worst_of_sigmoid(const AttentionCase& test, const AttentionTensors& tensors) {
  const HostTensor o = tensors.o->now(), lse = tensors.lse->now();
  double worst = 0;
  for (std::size_t r = 0; r < test.requests.size(); ++r) {
    for (Index head = 0; head < test.spec.query_heads; ++head) {
      for (Index i = 0; i < test.requests[r].queries; ++i) {
        const std::vector<double> q = tensors.query(r, i, head);
        std::vector<double> sums(q.size()), sizes(q.size());
        for (Index j = 0; j < test.requests[r].keys; ++j) {
          const std::vector<double> k = tensors.key(r, j, head / 4), v = tensors.value(r, j, head / 4);
          double dot = 0;
          for (std::size_t d = 0; d < q.size(); ++d) dot += q[d] * k[d];
          const double weight = 1 / (1 + std::exp(-dot / std::sqrt(static_cast<double>(q.size())) - 0.25));
          for (std::size_t d = 0; d < q.size(); ++d) sums[d] += weight * v[d];
          for (std::size_t d = 0; d < q.size(); ++d) sizes[d] += weight * std::abs(v[d]);
        }
        const Index row = tensors.token(r, i) * test.spec.query_heads + head;
        const double factor = std::exp2(lse.at(static_cast<std::size_t>(row)));
        for (std::size_t d = 0; d < q.size(); ++d) {
          const double value = o.at(static_cast<std::size_t>(row) * q.size() + d) * factor;
          const double error = std::abs(value - sums[d]) / (sizes[d] * 0x1p-7);
          worst = std::max(worst, std::isnan(error) ? 1e30 : error);
        }
      }
    }
  }
  return worst;
}

}  // namespace

TEST_CASE("attention: hooks read the caller's data") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : kPhases) {
      AttentionCase test = sample(phase);
      // A bias per key, then something per dimension, and no byte more.
      constexpr int kKeys = 150, kDim = 72;
      for (int i = 0; i < kKeys + kDim; ++i)
        test.hook_data.push_back(static_cast<float>(i * 37 % 101) / 64 - 0.75f);
      const auto data = [&](std::int64_t i) {
        return static_cast<double>(test.hook_data[static_cast<std::size_t>(i)]);
      };
      AttentionHooks& hooks = test.spec.hooks;
      hooks.logits = "return logit + ((const float*)data)[at.key];";
      test.logits_hook = [&](double logit, std::int64_t key) { return logit + data(key); };
      hooks.mask = "return ((const float*)data)[at.key] < 0.5f;";
      test.mask_hook = [&](std::int64_t, std::int64_t key) { return data(key) < 0.5; };
      check(runtime, test);
      hooks.query = "return value * ((const float*)data)[150 + dim];";
      test.query_hook = [&](double value, int dim, std::int64_t) { return value * data(kKeys + dim); };
      hooks.key = "return value + ((const float*)data)[150 + dim];";
      test.key_hook = [&](double value, int dim, std::int64_t) { return value + data(kKeys + dim); };
      hooks.output = "return value + ((const float*)data)[150 + dim];";
      test.output_hook = [&](double value, int dim, std::int64_t) { return value + data(kKeys + dim); };
      test.plan.fixed_split = 64;
      check(runtime, test);
    }
  });
}

TEST_CASE("attention: hooks on keys in pages whose last dimensions stand apart") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : kPhases) {
      AttentionCase test = sample(phase);
      test.spec.head_dim = 96;
      test.spec.value_dim = 64;
      test.spec.rest_dim = 32;
      test.spec.storage = KvStorage::paged;
      test.spec.page_size = 5;
      test.spec.hooks.key = "return dim >= 60 ? value * 0.5f + (float)(at.key % 3) : value;";
      test.key_hook = [](double value, int dim, std::int64_t key) {
        return dim >= 60 ? value * 0.5 + static_cast<double>(key % 3) : value;
      };
      check(runtime, test);
      test.spec.hooks.query = "return dim >= 70 ? -value : value;";
      test.query_hook = [](double value, int dim, std::int64_t) { return dim >= 70 ? -value : value; };
      test.spec.kv_dtype = e4m3;
      test.spec.kv_scale = AttentionScale::tensor;
      check(runtime, test);
    }
  });
}

TEST_CASE("attention: what a hook makes of a query or a key may be larger than their type") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : kPhases) {
      AttentionCase test = sample(phase);
      test.spec.dtype = f16;
      // 10^6 is beyond f16; infinity times 0 would be no number.
      test.spec.hooks.query = "return dim == 5 ? 1e6f : dim == 6 ? 0.0f : value;";
      test.query_hook = [](double value, int dim, std::int64_t) { return dim == 5 || dim == 6 ? 0 : value; };
      test.spec.hooks.key = "return dim == 5 ? 0.0f : dim == 6 ? -1e6f : value;";
      test.key_hook = [](double value, int dim, std::int64_t) { return dim == 5 || dim == 6 ? 0 : value; };
      check(runtime, test);
    }
  });
}

TEST_CASE("attention: sigmoids instead of a softmax, as a logits hook and the log-sum-exp") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : kPhases) {
      AttentionCase test = sample(phase);
      test.spec.mask = AttentionMask::none;
      test.spec.hooks.logits = "return -logf(1.0f + expf(-(logit + 0.25f)));";
      test.plan.fixed_split = 64;
      test.logits_hook = [](double logit, std::int64_t) { return -std::log1p(std::exp(-(logit + 0.25))); };
      const auto kernel = runtime.get(test.spec).value();
      const AttentionTensors tensors(runtime, test);
      const AttentionPlan plan = AttentionPlan::make(kernel, tensors.batch(), test.plan).value();
      GuardedBuffer bytes(runtime, plan.bytes().size()), workspace(runtime, plan.workspace_bytes());
      bytes.upload(plan.bytes().data());
      AttentionArgs args = tensors.args();
      plan.apply(args, bytes.data());
      args.workspace = workspace.data();
      args.workspace_bytes = static_cast<Index>(plan.workspace_bytes());
      REQUIRE(kernel.launch(args, {}).has_value());
      REQUIRE(runtime.synchronize({}).has_value());
      CHECK(worst_of_sigmoid(test, tensors) <= 1);
    }
  });
}

TEST_CASE("attention: a NaN of any bits stays one in the result") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : kPhases) {
      // Rounded as a number is, it would carry over into zero.
      AttentionCase test{.spec = {.query_heads = 2, .kv_heads = 1, .head_dim = 40, .phase = phase}};
      test.spec.hooks.output = "return __builtin_bit_cast(float, dim == 0 ? 0x3F800000 : 0x7FFFFFFF);";
      const auto kernel = runtime.get(test.spec).value();
      const AttentionTensors tensors(runtime, test);
      const AttentionPlan plan = AttentionPlan::make(kernel, tensors.batch()).value();
      GuardedBuffer bytes(runtime, plan.bytes().size());
      bytes.upload(plan.bytes().data());
      AttentionArgs args = tensors.args();
      plan.apply(args, bytes.data());
      REQUIRE(kernel.launch(args, {}).has_value());
      REQUIRE(runtime.synchronize({}).has_value());
      const HostTensor o = tensors.o->now();
      for (std::size_t i = 0; i < o.count(); ++i) {
        INFO("element " << i);
        CHECK((i % 40 == 0 ? o.at(i) == 1 : std::isnan(o.at(i))));
      }
    }
  });
}
