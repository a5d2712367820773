#include "runtime/key.h"

#include <set>

#include "tests/support/catch.h"

using lathe::KernelSpec;
using lathe::RmsNormSpec;
using lathe::Target;
using lathe::codegen::KernelSource;
using lathe::runtime::key_field;
using lathe::runtime::key_fields;
using lathe::runtime::make_key;

namespace {

const Target kTarget{lathe::Backend::cuda, "sm_90a", {}};

KernelSource source() {
  return {.name = "cuda/op.cu",
          .text = "text",
          .headers = {{"a.cuh", "1"}, {"b.cuh", "2"}},
          .entries = {{"entry", {.block = {256, 1, 1}}}}};
}

KernelSpec spec() {
  return RmsNormSpec{.hidden_size = 4096};
}

}  // namespace

TEST_CASE("whatever can change the bytes changes the key") {
  std::set<std::string> digests;
  const auto add = [&](const KernelSpec& of, const Target& target, const KernelSource& text,
                       const char* compiler) {
    INFO("key number " << digests.size());
    CHECK(digests.insert(make_key(of, target, text, compiler).digest.hex()).second);
  };
  add(spec(), kTarget, source(), "nvrtc 13.0");
  add(spec(), kTarget, source(), "nvrtc 12.9");
  add(RmsNormSpec{.hidden_size = 4097}, kTarget, source(), "nvrtc 13.0");
  add(spec(), {lathe::Backend::cuda, "sm_80", {}}, source(), "nvrtc 13.0");
  add(spec(), {lathe::Backend::cpu, "sm_90a", {}}, source(), "nvrtc 13.0");
  add(spec(), {lathe::Backend::cuda, "sm_90a", {"f"}}, source(), "nvrtc 13.0");
  KernelSource changed = source();
  changed.text = "other";
  add(spec(), kTarget, changed, "nvrtc 13.0");
  changed = source();
  changed.headers[1].text = "3";
  add(spec(), kTarget, changed, "nvrtc 13.0");
  changed = source();
  changed.headers[1].name = "c.cuh";
  add(spec(), kTarget, changed, "nvrtc 13.0");
  changed = source();
  changed.headers = {{"a.cuh", "1\nb.cuh 1 2"}};  // the same characters, other files
  add(spec(), kTarget, changed, "nvrtc 13.0");
  for (auto change : {+[](KernelSource& s) { s.entries[0].launch.block.x = 128; },
                      +[](KernelSource& s) { s.entries[0].launch.cluster.x = 2; },
                      +[](KernelSource& s) { s.entries[0].launch.dynamic_shared_bytes = 1; },
                      +[](KernelSource& s) { s.entries[0].launch.work_per_block = 4; },
                      +[](KernelSource& s) { s.entries[0].launch.programmatic_launch = true; }}) {
    changed = source();
    change(changed);
    add(spec(), kTarget, changed, "nvrtc 13.0");
  }
}

TEST_CASE("the same inputs give the same key, and the name of the source is not one of them") {
  KernelSource renamed = source();
  renamed.name = "/somewhere/else.cu";
  CHECK(make_key(spec(), kTarget, source(), "c") == make_key(spec(), kTarget, renamed, "c"));
}

TEST_CASE("a key text is taken apart into labelled fields") {
  const auto key = make_key(spec(), kTarget, source(), "nvrtc 13.0");
  CHECK(key_field(key.text, "target") == "cuda:sm_90a");
  CHECK(key_field(key.text, "compiler") == "nvrtc 13.0");
  CHECK(key_field(key.text, "colour").empty());
  const auto fields = key_fields(key.text);
  const auto value_of = [&](std::string_view label) {
    for (const auto& [name, value] : fields) {
      if (name == label) return value;
    }
    return std::string("absent");
  };
  CHECK(value_of("op") == "rms_norm");
  CHECK(value_of("spec.hidden_size") == "4096");
  CHECK(value_of("spec.dtype") == "bf16");
  CHECK(value_of("target") == "cuda:sm_90a");
  CHECK(key_fields("").empty());
  CHECK(key_fields("no labels at all").empty());
}

TEST_CASE("keys do not change from version to version") {
  // If one of these fails, every cache in the field goes cold. If that is meant, change them, and say why.
  struct Golden {
    lathe::KernelSpec spec;
    const char* target;
    const char* digest;
  };
  const Golden table[] = {
      {RmsNormSpec{.hidden_size = 4096}, "cuda:sm_90a", "35f6a61d9565a65fb80b1152b12fe1a2"},
      {RmsNormSpec{.hidden_size = 4096}, "cpu:x86-64-v3+avx2+fma", "0ccaf3991cf409d9f02992c2ba767d6d"},
      {RmsNormSpec{.hidden_size = 128, .dtype = lathe::f16, .heads = 32}, "cuda:sm_80",
       "ee87c6402d1dcdbf292608e5b343daee"},
      {RmsNormSpec{.hidden_size = 3584,
                   .weight_dtype = lathe::f32,
                   .weight_offset = 1.0,
                   .casting = lathe::Casting::llama,
                   .residual = lathe::Residual::round_then_norm,
                   .store_rstd = true},
       "cuda:sm_120", "75a1482aa145ddc80e7f21f7feb3835d"},
      {RmsNormSpec{.hidden_size = 262144, .dtype = lathe::f32, .has_weight = false, .alignment = 4},
       "cuda:sm_100", "d281dcf89d9b7a7ae4868f55c11aae97"},
      {lathe::RmsNormBackwardSpec{.hidden_size = 4096}, "cuda:sm_90a", "b6824d581dd9469043998f9cec0c617d"},
      {lathe::RopeSpec{.heads = 32, .kv_heads = 8, .head_dim = 128}, "cuda:sm_90a",
       "5021805d23369411838c75964ac197ea"},
      {lathe::AttentionSpec{.query_heads = 32, .kv_heads = 8, .head_dim = 128}, "cuda:sm_80",
       "ca7d087bbe137b07b7f73ee35a07653e"},
      {lathe::AttentionMergeSpec{.heads = 32, .value_dim = 128}, "cuda:sm_90a",
       "40fa31c255ad400f71f323658c1231f4"},
      {lathe::KvGatherSpec{.src = {{.axes = "B N H C", .block_size = 16, .heads = 8, .content = 128}},
                           .dst = {{.axes = "N H C", .heads = 8, .content = 128}}},
       "cuda:sm_90a", "1394345c218af2443064143f65e1370b"},
      {lathe::KvScatterSpec{.src = {{.axes = "N C", .content = 576}},
                            .dst = {{.axes = "B N C", .block_size = 64, .content = 576}}},
       "cpu:x86-64-v3+avx2+fma", "7cf9022f49b8bffb078e9026fc74848d"},
      {lathe::LinearCrossEntropySpec{.hidden_size = 4096, .vocab_size = 128256}, "cuda:sm_90a",
       "1738d242ae77f2a839f2e95b9e42696e"},
  };
  for (const Golden& golden : table) {
    const Target target = Target::parse(golden.target).value();
    INFO(make_key(golden.spec, target, source(), "nvrtc 13.0").text);
    CHECK(make_key(golden.spec, target, source(), "nvrtc 13.0").digest.hex() == golden.digest);
  }
}
