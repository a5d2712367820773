// How rms_norm is rendered for NVIDIA GPUs.
#include <bit>
#include <charconv>
#include <string>
#include <string_view>

#include "codegen/cuda_arch.h"
#include "codegen/ops/rms_norm.h"
#include "tests/support/catch.h"

using lathe::Backend;
using lathe::bf16;
using lathe::DType;
using lathe::f16;
using lathe::f32;
using lathe::RmsNormSpec;
using lathe::Target;
using namespace lathe::codegen;

namespace {

constexpr std::int64_t kSizes[] = {
    1,     2,     3,     5,     7,     8,     31,    32,    33,    64,    96,     127,    128,   255,  256,
    512,   768,   1000,  1023,  1024,  1025,  1536,  2048,  2560,  4095,  4096,   5120,   7168,  8191, 8192,
    12288, 16383, 16384, 16385, 20480, 32767, 32768, 32769, 65536, 98305, 131072, 262143, 262144};

Target gpu(std::string_view arch) {
  return {Backend::cuda, std::string(arch), {}};
}

RenderPlan plan_of(const RmsNormSpec& spec, std::string_view arch) {
  return plan_rms_norm_cuda(std::get<RmsNormSpec>(normalize_rms_norm(spec).value()), gpu(arch)).value();
}

std::string value_of(const RenderPlan& plan, std::string_view name) {
  for (const auto& [known, value] : plan.parameters) {
    if (known == name) return value;
  }
  FAIL("no parameter " << name);
  return {};
}

std::int64_t number_of(const RenderPlan& plan, std::string_view name) {
  const std::string text = value_of(plan, name);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  REQUIRE(end == text.data() + text.size());
  return number;
}

/// Calls `check(spec, plan, arch)` for every size, width of element and kind of architecture.
template <class Check>
void for_each_plan(Check check) {
  for (const char* arch : {"sm_80", "sm_90a", "sm_120"}) {
    for (const std::int64_t hidden : kSizes) {
      for (const DType dtype : {f32, bf16}) {
        const RmsNormSpec spec{.hidden_size = hidden, .dtype = dtype};
        INFO(arch << ", " << hidden << " of " << lathe::name_of(dtype));
        check(spec, plan_of(spec, arch), *find_cuda_arch(arch));
      }
    }
  }
}

std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace

TEST_CASE("a GPU's blocks are what hardware and template allow") {
  for_each_plan([](const RmsNormSpec&, const RenderPlan& plan, const CudaArch& arch) {
    const auto threads = number_of(plan, "kThreadsPerRow");
    const auto rows = number_of(plan, "kRowsPerBlock");
    const auto cluster = number_of(plan, "kClusterBlocks");
    CHECK(plan.entries[0].launch.block == Dim3{static_cast<unsigned>(threads * rows)});
    CHECK(plan.entries[0].launch.cluster == Dim3{static_cast<unsigned>(cluster)});
    CHECK(plan.entries[0].launch.work_per_block == rows);
    CHECK(plan.entries[0].launch.dynamic_shared_bytes == 0);
    CHECK(threads * rows % 32 == 0);  // shuffles name all lanes of a warp
    CHECK(threads * rows <= 1024);
    CHECK(std::has_single_bit(static_cast<unsigned>(threads)));
    CHECK((rows == 1 || threads <= 32));  // several rows are reduced within warps only
    CHECK(cluster <= arch.max_cluster);
    CHECK((cluster == 1 || rows == 1));
  });
}

TEST_CASE("packs divide the row and are no wider than the alignment") {
  for_each_plan([](const RmsNormSpec& spec, const RenderPlan& plan, const CudaArch&) {
    const auto normalized = std::get<RmsNormSpec>(normalize_rms_norm(spec).value());
    const auto pack = number_of(plan, "kPack");
    CHECK(spec.hidden_size % pack == 0);
    CHECK(pack * static_cast<std::int64_t>(lathe::size_of(spec.dtype)) <= normalized.alignment);
  });
  CHECK(number_of(plan_of({.hidden_size = 4096}, "sm_90a"), "kPack") == 8);
  CHECK(number_of(plan_of({.hidden_size = 4096, .dtype = f32}, "sm_90a"), "kPack") == 4);
  CHECK(number_of(plan_of({.hidden_size = 4096, .alignment = 2}, "sm_90a"), "kPack") == 1);
  CHECK(number_of(plan_of({.hidden_size = 4095}, "sm_90a"), "kPack") == 1);
  // Sixteen bytes of the widest tensor.
  CHECK(number_of(plan_of({.hidden_size = 4096, .weight_dtype = f32}, "sm_90a"), "kPack") == 4);
  CHECK(number_of(plan_of({.hidden_size = 4096, .y_dtype = f32}, "sm_90a"), "kPack") == 4);
  CHECK(number_of(plan_of({.hidden_size = 4096, .y_dtype = lathe::e4m3}, "sm_90a"), "kPack") == 8);
  CHECK(number_of(plan_of({.hidden_size = 4096, .dtype = f32, .weight_dtype = bf16}, "sm_90a"), "kPack") ==
        4);
  // Padding makes rows aligned, not divisible.
  CHECK(number_of(plan_of({.hidden_size = 12, .alignment = 16}, "sm_90a"), "kPack") == 4);
}

TEST_CASE("rows that stay in registers take few of them") {
  for_each_plan([](const RmsNormSpec& spec, const RenderPlan& plan, const CudaArch&) {
    const auto pack = number_of(plan, "kPack");
    const auto packs = divide_up(spec.hidden_size / pack, number_of(plan, "kClusterBlocks"));
    const auto values = divide_up(packs, number_of(plan, "kThreadsPerRow")) * pack;
    if (value_of(plan, "kInRegisters") == "true") CHECK(values <= 32);
  });
}

TEST_CASE("common sizes stay in registers on every GPU, long ones where there are clusters") {
  for (const std::int64_t hidden : {1024, 4096, 8192, 16384, 32768}) {
    CHECK(value_of(plan_of({.hidden_size = hidden}, "sm_80"), "kInRegisters") == "true");
  }
  const RenderPlan without = plan_of({.hidden_size = 131072}, "sm_80");
  CHECK(value_of(without, "kInRegisters") == "false");
  CHECK(number_of(without, "kClusterBlocks") == 1);
  const RenderPlan with = plan_of({.hidden_size = 131072}, "sm_90a");
  CHECK(value_of(with, "kInRegisters") == "true");
  CHECK(number_of(with, "kClusterBlocks") > 1);
}

TEST_CASE("the spec's choices reach the template as its own names") {
  const RmsNormSpec spec{.hidden_size = 128,
                         .dtype = f16,
                         .weight_dtype = f32,
                         .weight_offset = 0.1,
                         .casting = lathe::Casting::llama,
                         .residual = lathe::Residual::norm_then_round,
                         .store_rstd = true,
                         .heads = 32};
  const RenderPlan plan = plan_of(spec, "sm_80");
  CHECK(plan.template_name == "cuda/rms_norm.cu");
  REQUIRE(plan.entries.size() == 1);
  CHECK(plan.entries[0].name == "lathe_rms_norm");
  CHECK(value_of(plan, "X") == "F16");
  CHECK(value_of(plan, "W") == "F32");
  CHECK(value_of(plan, "kHiddenSize") == "128");
  CHECK(value_of(plan, "kHeads") == "32");
  CHECK(value_of(plan, "kHasWeight") == "true");
  CHECK(value_of(plan, "kWeightOffset") == "static_cast<float>(0x1.99999ap-4)");  // 0.1f exactly
  CHECK(value_of(plan, "kCasting") == "Casting::llama");
  CHECK(value_of(plan, "kResidual") == "Residual::norm_then_round");
  CHECK(value_of(plan, "kStoreRstd") == "true");
}

TEST_CASE("a GPU that is not known is refused with those that are") {
  const auto plan = plan_rms_norm_cuda(
      std::get<RmsNormSpec>(normalize_rms_norm(RmsNormSpec{.hidden_size = 8}).value()), gpu("sm_42"));
  REQUIRE(!plan);
  CHECK(plan.error().code == lathe::ErrorCode::unsupported);
  CHECK(plan.error().message == "rms_norm: cuda:sm_42 is not an architecture that Lathe knows");
  CHECK(plan.error().hint.find("sm_80, ") != std::string::npos);
}
