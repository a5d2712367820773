// What NVRTC and ptxas make of attention's kernels: no spills in any, and how long they take.
#include <algorithm>
#include <cstdint>
#include <ctime>
#include <string>
#include <utility>

#include "codegen/ops/attention.h"
#include "codegen/render.h"
#include "tests/codegen/nvrtc_fixture.h"
#include "tests/support/catch.h"

using lathe::AttentionMask;
using lathe::AttentionPhase;
using lathe::AttentionSpec;
using lathe::Backend;
using lathe::Target;
using namespace lathe::codegen;

namespace {

constexpr AttentionPhase kPrefill = AttentionPhase::prefill;
constexpr AttentionPhase kDecode = AttentionPhase::decode;

/// 32 heads that share 8 key-value heads in pages of 16, causal; of 576 elements latent attention.
AttentionSpec spec_of(AttentionPhase phase, std::int64_t head_dim) {
  AttentionSpec spec{.query_heads = 32, .kv_heads = 8, .head_dim = head_dim, .phase = phase};
  spec.mask = AttentionMask::causal;
  spec.storage = lathe::KvStorage::paged;
  spec.page_size = 16;
  if (head_dim == 576) {
    spec.kv_heads = 1;
    spec.value_dim = 512;
    spec.rest_dim = 64;
    spec.values_are_keys = true;
  }
  return spec;
}

/// Compiles specs for one GPU, and looks at what came of it.
class Compilation {
 public:
  Compilation(const Compiler& nvrtc, const char* arch)
      : nvrtc_(nvrtc), target_{Backend::cuda, arch, {}}, library_(TemplateLibrary::embedded()) {}

  KernelBinary compile(const AttentionSpec& spec) const {
    return nvrtc_.compile(source_of(spec), target_).value();
  }

  void check_registers(const AttentionSpec& spec) const {
    const KernelBinary binary = compile(spec);
    INFO(target_.text() << ", " << (spec.phase == kPrefill ? "prefill" : "decode") << ", " << spec.head_dim
                        << "\n"
                        << binary.log);
    CHECK(binary.resources.registers <= 255);
    CHECK(binary.resources.spill_store_bytes == 0);
    CHECK(binary.resources.spill_load_bytes == 0);
    CHECK(binary.resources.stack_bytes == 0);
  }

  /// Of this process, whatever else the machine does; the best of a few.
  double cpu_seconds(const AttentionSpec& spec) const {
    const KernelSource source = source_of(spec);
    double best = 1e9;
    for (int i = 0; i < 3; ++i) {
      const std::clock_t begin = std::clock();
      REQUIRE(nvrtc_.compile(source, target_).has_value());
      best = std::min(best, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
    }
    return best;
  }

 private:
  KernelSource source_of(const AttentionSpec& spec) const {
    return render(normalize_attention(spec).value(), target_, library_).value();
  }

  const Compiler& nvrtc_;
  Target target_;
  TemplateLibrary library_;
};

void check_all_dims(const char* arch, AttentionPhase phase) {
  const auto nvrtc = lathe::tests::nvrtc_or_skip();
  if (!nvrtc) return;
  const Compilation compilation(*nvrtc, arch);
  for (std::int64_t dim = 32; dim <= 256; dim += 8) compilation.check_registers(spec_of(phase, dim));
  compilation.check_registers(spec_of(phase, 576));
}

}  // namespace

TEST_CASE("attention spills no registers: prefill on sm_80, any head dimension") {
  check_all_dims("sm_80", kPrefill);
}

TEST_CASE("attention spills no registers: prefill on sm_90a, any head dimension") {
  check_all_dims("sm_90a", kPrefill);
}

TEST_CASE("attention spills no registers: decode on sm_80, any head dimension") {
  check_all_dims("sm_80", kDecode);
}

TEST_CASE("attention spills no registers: decode on sm_90a, any head dimension") {
  check_all_dims("sm_90a", kDecode);
}

TEST_CASE("attention spills no registers: what takes the most besides sums and logits") {
  const auto nvrtc = lathe::tests::nvrtc_or_skip();
  if (!nvrtc) return;
  for (const char* arch : {"sm_80", "sm_90a"}) {
    const Compilation compilation(*nvrtc, arch);
    for (const std::int64_t dim : {128, 256}) {
      AttentionSpec spec = spec_of(kPrefill, dim);
      spec.kv_dtype = lathe::e4m3;
      compilation.check_registers(spec);
      spec = spec_of(kPrefill, dim);
      spec.has_window = spec.has_soft_cap = spec.has_alibi = spec.has_sinks = spec.store_lse = true;
      compilation.check_registers(spec);
    }
    AttentionSpec spec = spec_of(kPrefill, 128);
    spec.mask = AttentionMask::custom;
    compilation.check_registers(spec);
    spec = spec_of(kPrefill, 128);
    spec.rope = lathe::RopeFrequencies{};
    compilation.check_registers(spec);
    spec = spec_of(kDecode, 128);
    spec.kv_dtype = lathe::e5m2;
    compilation.check_registers(spec);
    spec = spec_of(kDecode, 576);
    spec.kv_dtype = lathe::e4m3;
    compilation.check_registers(spec);
  }
}

TEST_CASE("attention compiles in a fraction of a second") {
  const auto nvrtc = lathe::tests::nvrtc_or_skip();
  if (!nvrtc) return;
  // The goal is 0.5 s and 0.35 s on a core of its own; half of that core may be another's.
  for (const char* arch : {"sm_80", "sm_90a"}) {
    const Compilation compilation(*nvrtc, arch);
    const double prefill = compilation.cpu_seconds(spec_of(kPrefill, 128));
    const double decode = compilation.cpu_seconds(spec_of(kDecode, 128));
    INFO(arch << ": prefill " << prefill << " s, decode " << decode << " s");
    CHECK(prefill <= 2 * 0.5);
    CHECK(decode <= 2 * 0.35);
  }
}
