// The device headers' fp8 elements, on every device at hand: every pattern widened, and narrowed from every
// kind of float, bit by bit.
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "codegen/template_library.h"
#include "runtime/executors.h"
#include "runtime/options.h"
#include "runtime/toolchains.h"
#include "tests/reference/rounding.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

struct Args {
  const float* from;
  unsigned char* narrowed;
  float* widened;  ///< what `narrowed` then holds
  Index count;
};

std::string args_text() {
  return "using Index = long long;\n"
         "struct Args { const float* from; unsigned char* narrowed; float* widened; Index count; };\n";
}

/// In packs of 8, 4, 2 and 1: whichever the count still has room for.
std::string cuda_text(const std::string& element) {
  return "#include \"cuda/pack.cuh\"\n" + args_text() + "using T = " + element + R"(;
template <int kCount> __device__ void convert(const Args& args, Index at) {
  float values[kCount];
  for (int i = 0; i < kCount; ++i) values[i] = args.from[at + i];
  store_pack<T>(args.narrowed + at, values);
  load_pack<T>(args.narrowed + at, values);
  for (int i = 0; i < kCount; ++i) args.widened[at + i] = values[i];
}
extern "C" __global__ void __launch_bounds__(128) kernel(const __grid_constant__ Args args) {
  const Index at = (static_cast<Index>(blockIdx.x) * 128 + threadIdx.x) * 8;
  if (at + 8 <= args.count) return convert<8>(args, at);
  Index i = at;
  if (i + 4 <= args.count) convert<4>(args, i), i += 4;
  if (i + 2 <= args.count) convert<2>(args, i), i += 2;
  if (i + 1 <= args.count) convert<1>(args, i), i += 1;
}
)";
}

std::string cpu_text(const std::string& element) {
  return "#include \"cpu/element.h\"\n" + args_text() + "using T = " + element + R"(;
extern "C" void kernel(const Args* args, long long, long long) {
  long long i = 0;
  for (; i + kLanes <= args->count; i += kLanes) {
    T::store(args->narrowed + i, F32::load(args->from + i));
    F32::store(args->widened + i, T::load(args->narrowed + i));
  }
  const int tail = static_cast<int>(args->count - i);
  T::store_tail(args->narrowed + i, F32::load_tail(args->from + i, tail), tail);
  F32::store_tail(args->widened + i, T::load_tail(args->narrowed + i, tail), tail);
}
)";
}

/// Every value of the dtype, every middle between two, and the floats next to both; the ends of float's
/// range; any bits. An odd number of them.
std::vector<float> samples(DType dtype) {
  std::vector<float> values;
  const auto add = [&](double value) {
    const auto middle = static_cast<float>(value);
    for (const float near : {middle, std::nextafterf(middle, 1e30f), std::nextafterf(middle, -1e30f)}) {
      values.push_back(near);
      values.push_back(-near);
    }
  };
  for (std::uint16_t bits = 0; bits < 0x7F; ++bits) {
    const double low = reference::value_of(dtype, bits);
    if (!std::isfinite(low)) continue;
    add(low);
    add(low + reference::spacing(dtype, low) / 2);
  }
  const float infinity = std::numeric_limits<float>::infinity();
  for (const std::uint32_t bits : {0x7FFFFFFFu, 0xFFFFFFFFu, 0x7F800001u, 0xFFC00000u, 0x7F7FFFFFu})
    values.push_back(std::bit_cast<float>(bits));
  for (const float value : {infinity, -infinity, 1e-45f, -1e-45f, 1e-38f, 464.0f, 480.0f, 61440.0f, 65536.0f})
    values.push_back(value);
  std::mt19937 random(1);
  while (values.size() < 20001) values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
  return values;
}

void check_element(const Target& target, DType dtype, const std::string& element) {
  const auto options = runtime::resolve({.target = target}, runtime::process_environment()).value();
  const auto executor = runtime::open_executor(options).value();
  runtime::Toolchains toolchains(runtime::default_opener(options.nvrtc_path));
  const bool on_cpu = target.backend == Backend::cpu;
  codegen::KernelSource source{.name = on_cpu ? "cpu/test.cpp" : "cuda/test.cu",
                               .text = on_cpu ? cpu_text(element) : cuda_text(element),
                               .entries = {{"kernel"}}};
  const auto library = codegen::TemplateLibrary::embedded();
  source.headers.assign(library.files().begin(), library.files().end());
  if (!on_cpu) source.entries[0].launch.block = {128, 1, 1};
  const auto binary = toolchains.compiler_for(target.backend).value()->compile(source, target).value();
  const auto kernel = executor->load(binary).value();

  const std::vector<float> from = samples(dtype);
  auto& memory = executor->memory();
  const auto allocate = [&](std::size_t bytes) { return memory.allocate(bytes).value(); };
  const Args args{static_cast<float*>(allocate(from.size() * 4)),
                  static_cast<unsigned char*>(allocate(from.size())),
                  static_cast<float*>(allocate(from.size() * 4)), static_cast<Index>(from.size())};
  memory.copy(const_cast<float*>(args.from), from.data(), from.size() * 4, {}).value();
  std::vector<std::byte> bytes(sizeof args);
  std::memcpy(bytes.data(), &args, sizeof args);
  const std::uint64_t blocks = on_cpu ? 1 : (from.size() + 1023) / 1024;
  executor->launch(*kernel, {codegen::Grid{.x = blocks}}, bytes, {}).value();
  executor->synchronize({}).value();
  std::vector<unsigned char> narrowed(from.size());
  std::vector<float> widened(from.size());
  memory.copy(narrowed.data(), args.narrowed, narrowed.size(), {}).value();
  memory.copy(widened.data(), args.widened, widened.size() * 4, {}).value();
  for (void* pointer : {static_cast<void*>(const_cast<float*>(args.from)), static_cast<void*>(args.narrowed),
                        static_cast<void*>(args.widened)})
    memory.release(pointer);

  int wrong = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto expected =
        std::isnan(from[i]) ? 0x7F : reference::bits_of(dtype, static_cast<double>(from[i]));
    const double value = reference::value_of(dtype, narrowed[i]);
    const bool same = std::isnan(value) ? std::isnan(widened[i]) : static_cast<double>(widened[i]) == value;
    if (narrowed[i] == expected && same) continue;
    if (++wrong < 5) UNSCOPED_INFO(from[i] << " -> " << int{narrowed[i]} << ", expected " << expected);
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("fp8 elements: to nearest even, saturating, NaN stays NaN") {
  on_every_target([](Runtime& runtime) {
    for (const DType dtype : {e4m3, e5m2}) {
      INFO(name_of(dtype));
      check_element(runtime.target(), dtype, dtype == e4m3 ? "E4m3" : "E5m2");
    }
  });
}
