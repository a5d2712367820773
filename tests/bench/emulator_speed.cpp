// How fast the PTX emulator is: millions of lane-instructions per second on one core. Not a test: a number to
// compare before and after a change.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "codegen/kernel_binary.h"
#include "runtime/ptx/emulator.h"

namespace {

using namespace lathe;

/// out[i] = a * x[i] + y[i] in a grid-stride loop, as NVRTC 13.0 compiles it for sm_80.
constexpr std::string_view kAxpy = R"ptx(.version 9.0
.target sm_80
.address_size 64
.visible .entry axpy(.param .u64 px, .param .u64 py, .param .u64 pout, .param .f32 pa, .param .u32 pn)
{
	.reg .pred 	%p<3>;
	.reg .f32 	%f<5>;
	.reg .b32 	%r<11>;
	.reg .b64 	%rd<11>;
	ld.param.u64 	%rd4, [px];
	ld.param.u64 	%rd5, [py];
	ld.param.u64 	%rd6, [pout];
	ld.param.f32 	%f1, [pa];
	ld.param.u32 	%r6, [pn];
	mov.u32 	%r1, %ntid.x;
	mov.u32 	%r7, %ctaid.x;
	mov.u32 	%r8, %tid.x;
	mad.lo.s32 	%r10, %r7, %r1, %r8;
	setp.ge.s32 	%p1, %r10, %r6;
	@%p1 bra 	$L__BB0_3;
	mov.u32 	%r9, %nctaid.x;
	mul.lo.s32 	%r3, %r9, %r1;
	cvta.to.global.u64 	%rd1, %rd4;
	cvta.to.global.u64 	%rd2, %rd5;
	cvta.to.global.u64 	%rd3, %rd6;
$L__BB0_2:
	mul.wide.s32 	%rd7, %r10, 4;
	add.s64 	%rd8, %rd1, %rd7;
	ld.global.f32 	%f2, [%rd8];
	add.s64 	%rd9, %rd2, %rd7;
	ld.global.f32 	%f3, [%rd9];
	fma.rn.f32 	%f4, %f2, %f1, %f3;
	add.s64 	%rd10, %rd3, %rd7;
	st.global.f32 	[%rd10], %f4;
	add.s32 	%r10, %r10, %r3;
	setp.lt.s32 	%p2, %r10, %r6;
	@%p2 bra 	$L__BB0_2;
$L__BB0_3:
	ret;
}
)ptx";

constexpr std::size_t kElements = std::size_t{1} << 20;
constexpr codegen::Grid kGrid{64, 1, 1};

struct Args {
  const void* x;
  const void* y;
  void* out;
  float a;
  std::uint32_t n;
};

template <class T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().text().c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

codegen::KernelBinary binary() {
  const auto bytes = std::as_bytes(std::span(kAxpy));
  codegen::KernelBinary made;
  made.payloads = {{codegen::PayloadKind::ptx, {bytes.begin(), bytes.end()}}};
  made.entries = {{"axpy", {.block = {256, 1, 1}}}};
  return made;
}

void* zeros(runtime::Executor& emulator) {
  constexpr std::size_t kBytes = kElements * sizeof(float);
  void* memory = must(emulator.memory().allocate(kBytes));
  must(emulator.memory().fill(memory, 0, kBytes, {}));
  return memory;
}

/// The shortest of so many runs, in seconds.
double run(int times, runtime::ptx::Checks checks,
           const std::function<void(const LaunchProfile&)>& on_profile = {}) {
  const auto emulator =
      runtime::make_emulator({.arch = "sm_80", .checks = checks, .workers = 1, .on_profile = on_profile});
  const auto kernel = must(emulator->load(binary()));
  const Args args{
      .x = zeros(*emulator), .y = zeros(*emulator), .out = zeros(*emulator), .a = 2, .n = kElements};
  double best = 1e9;
  for (int i = 0; i < times; ++i) {
    const double ms = must(emulator->time_ms({}, [&]() -> Result<void> {
      return emulator->launch(*kernel, {kGrid}, std::as_bytes(std::span(&args, 1)), {});
    }));
    best = std::min(best, ms / 1000);
  }
  return best;
}

void report(const char* name, runtime::ptx::Checks checks) {
  std::uint64_t instructions = 0;
  run(1, checks, [&](const LaunchProfile& profile) { instructions = profile.lane_instructions; });
  std::printf("fp32 axpy, %-24s %7.1f M lane-instructions/s\n", name,
              static_cast<double>(instructions) / run(15, checks) / 1e6);
}

}  // namespace

int main() {
  report("bounds checked:", {.definedness = false, .races = false});
  report("values checked too:", {.definedness = true, .races = false});
  report("races checked too:", {.definedness = true, .races = true});
}
