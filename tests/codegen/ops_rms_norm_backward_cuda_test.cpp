// How rms_norm_backward is rendered for NVIDIA GPUs.
#include <bit>
#include <charconv>
#include <string>
#include <string_view>

#include "codegen/cuda_arch.h"
#include "codegen/ops/rms_norm_backward.h"
#include "tests/support/catch.h"

using lathe::Backend;
using lathe::bf16;
using lathe::DType;
using lathe::f32;
using lathe::RmsNormBackwardSpec;
using lathe::Target;
using namespace lathe::codegen;

namespace {

constexpr std::int64_t kSizes[] = {1,     2,     4,     5,     8,     16,    31,     64,     96,
                                   128,   255,   256,   257,   512,   1000,  1024,   1025,   2048,
                                   2560,  4095,  4096,  5120,  7168,  8191,  8192,   12288,  16384,
                                   16385, 20480, 32768, 32769, 65536, 98305, 131072, 262143, 262144};

RenderPlan plan_of(const RmsNormBackwardSpec& spec, std::string_view arch) {
  const Target target{Backend::cuda, std::string(arch), {}};
  return plan_rms_norm_backward_cuda(std::get<RmsNormBackwardSpec>(normalize_rms_norm_backward(spec).value()),
                                     target)
      .value();
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

bool is_by_columns(const RenderPlan& plan) {
  return plan.template_name == "cuda/rms_norm_backward_long.cu";
}

/// Calls `check(spec, plan, arch)` for every size, width of element and kind of architecture.
template <class Check>
void for_each_plan(Check check) {
  for (const char* arch : {"sm_80", "sm_90a", "sm_120"}) {
    for (const std::int64_t hidden : kSizes) {
      for (const DType dtype : {f32, bf16}) {
        const RmsNormBackwardSpec spec{.hidden_size = hidden, .dtype = dtype};
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

TEST_CASE("rms_norm_backward: blocks are what hardware and template allow") {
  for_each_plan([](const RmsNormBackwardSpec&, const RenderPlan& plan, const CudaArch& arch) {
    if (is_by_columns(plan)) return;
    const auto threads = number_of(plan, "kThreadsPerRow");
    const auto rows = number_of(plan, "kRowsPerBlock");
    const auto cluster = number_of(plan, "kClusterBlocks");
    REQUIRE(plan.entries.size() == 2);
    CHECK(plan.entries[0].launch.block == Dim3{static_cast<unsigned>(threads * rows)});
    CHECK(plan.entries[0].launch.cluster == Dim3{static_cast<unsigned>(cluster)});
    CHECK(plan.entries[0].launch.work_per_block == rows);
    CHECK(threads * rows % 32 == 0);  // shuffles name all lanes of a warp
    CHECK(std::has_single_bit(static_cast<unsigned>(threads)));
    CHECK((rows == 1 || threads <= 32));  // several rows are reduced within warps only
    CHECK(cluster <= arch.max_cluster);
    CHECK((cluster == 1 || rows == 1));
    // All processors' registers: 512 threads of 128.
    CHECK(threads * rows * number_of(plan, "kBlocksPerProcessor") == 512);
  });
}

TEST_CASE("rms_norm_backward: rows that stay in registers take few of them") {
  for_each_plan([](const RmsNormBackwardSpec& spec, const RenderPlan& plan, const CudaArch& arch) {
    if (is_by_columns(plan)) {
      CHECK(spec.hidden_size > 512 * 8 * arch.max_cluster);
      return;
    }
    const auto pack = number_of(plan, "kPack");
    CHECK(spec.hidden_size % pack == 0);
    const auto packs = divide_up(spec.hidden_size / pack, number_of(plan, "kClusterBlocks"));
    const auto values = divide_up(packs, number_of(plan, "kThreadsPerRow")) * pack;
    // Registers that hold dy or x of the row; an element that is read alone takes one of its own.
    const auto registers =
        pack == 1 ? values : values * static_cast<std::int64_t>(lathe::size_of(spec.dtype)) / 4;
    CHECK(registers <= (value_of(plan, "kPrefetch") == "true" ? 8 : 16));
  });
}

TEST_CASE("rms_norm_backward: common sizes are read once on every GPU, long ones where there are clusters") {
  for (const std::int64_t hidden : {64, 1024, 4096, 8192, 16384})
    CHECK(!is_by_columns(plan_of({.hidden_size = hidden}, "sm_80")));
  CHECK(value_of(plan_of({.hidden_size = 8192}, "sm_80"), "kPrefetch") == "true");
  CHECK(value_of(plan_of({.hidden_size = 16384}, "sm_80"), "kPrefetch") == "false");
  CHECK(number_of(plan_of({.hidden_size = 65536}, "sm_90a"), "kClusterBlocks") == 4);
  CHECK(is_by_columns(plan_of({.hidden_size = 262144}, "sm_90a")));
  const RenderPlan by_columns = plan_of({.hidden_size = 65536}, "sm_80");
  CHECK(is_by_columns(by_columns));
  REQUIRE(by_columns.entries.size() == 3);
  CHECK(by_columns.entries[0].name == "lathe_rms_norm_backward_rows");
  CHECK(by_columns.entries[1].name == "lathe_rms_norm_backward");
  CHECK(by_columns.entries[1].launch.work_per_block == 2048);
  CHECK(by_columns.entries[2].name == "lathe_rms_norm_backward_dw");
}

TEST_CASE("rms_norm_backward: without dw there is no second stage") {
  CHECK(plan_of({.hidden_size = 64, .store_dw = false}, "sm_80").entries.size() == 1);
  CHECK(plan_of({.hidden_size = 64, .has_weight = false}, "sm_80").entries.size() == 1);
  CHECK(plan_of({.hidden_size = 262144, .store_dw = false}, "sm_80").entries.size() == 2);
}

TEST_CASE("rms_norm_backward: a wide weight is not held beside a row that fills the registers") {
  CHECK(value_of(plan_of({.hidden_size = 8192, .weight_dtype = f32}, "sm_80"), "kHoldWeight") == "true");
  CHECK(value_of(plan_of({.hidden_size = 16384, .weight_dtype = f32}, "sm_80"), "kHoldWeight") == "false");
  CHECK(value_of(plan_of({.hidden_size = 16384}, "sm_80"), "kHoldWeight") == "true");
}

TEST_CASE("rms_norm_backward: the spec's choices reach the template as its own names") {
  const RenderPlan plan = plan_of({.hidden_size = 128,
                                   .dtype = lathe::f16,
                                   .weight_dtype = f32,
                                   .weight_offset = 0.1,
                                   .casting = lathe::Casting::llama,
                                   .heads = 32,
                                   .weight_per_head = true,
                                   .has_dresidual = true,
                                   .load_rstd = false,
                                   .dw_dtype = bf16,
                                   .accumulate_dw = true},
                                  "sm_80");
  CHECK(plan.template_name == "cuda/rms_norm_backward.cu");
  CHECK(value_of(plan, "X") == "F16");
  CHECK(value_of(plan, "W") == "F32");
  CHECK(value_of(plan, "Dw") == "Bf16");
  CHECK(value_of(plan, "kHeads") == "32");
  CHECK(value_of(plan, "kWeightPerHead") == "true");
  CHECK(value_of(plan, "kWeightOffset") == "static_cast<float>(0x1.99999ap-4)");  // 0.1f exactly
  CHECK(value_of(plan, "kCasting") == "Casting::llama");
  CHECK(value_of(plan, "kHasDresidual") == "true");
  CHECK(value_of(plan, "kLoadRstd") == "false");
  CHECK(value_of(plan, "kStoreDx") == "true");
  CHECK(value_of(plan, "kStoreDw") == "true");
  CHECK(value_of(plan, "kAccumulateDw") == "true");
}

TEST_CASE("rms_norm_backward: a GPU that is not known is refused with those that are") {
  const auto plan = plan_rms_norm_backward_cuda(
      std::get<RmsNormBackwardSpec>(
          normalize_rms_norm_backward(RmsNormBackwardSpec{.hidden_size = 8}).value()),
      {Backend::cuda, "sm_42", {}});
  REQUIRE(!plan);
  CHECK(plan.error().code == lathe::ErrorCode::unsupported);
  CHECK(plan.error().message == "rms_norm_backward: cuda:sm_42 is not an architecture that Lathe knows");
  CHECK(plan.error().hint.find("sm_80, ") != std::string::npos);
}
