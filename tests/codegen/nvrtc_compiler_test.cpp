#include "codegen/nvrtc_compiler.h"

#include <cstring>
#include <filesystem>
#include <thread>
#include <vector>

#include "codegen/canonical.h"
#include "codegen/cuda_arch.h"
#include "codegen/op.h"
#include "codegen/render.h"
#include "tests/codegen/nvrtc_fixture.h"
#include "tests/support/catch.h"

using lathe::Backend;
using lathe::Error;
using lathe::ErrorCode;
using lathe::RmsNormSpec;
using lathe::Target;
using namespace lathe::codegen;
using lathe::tests::good_kernel;
using lathe::tests::kernel;
using lathe::tests::nvrtc_or_skip;

namespace {

Target gpu(std::string arch) {
  return {Backend::cuda, std::move(arch), {}};
}

std::string text_of(const Payload* payload) {
  REQUIRE(payload != nullptr);
  return {reinterpret_cast<const char*>(payload->bytes.data()), payload->bytes.size()};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("without NVRTC the error says what was tried and what to install") {
  const auto compiler = open_nvrtc({.path = "/nowhere/libnvrtc.so.13"});
  REQUIRE(!compiler);
  CHECK(compiler.error().code == ErrorCode::toolchain_missing);
  CHECK(contains(compiler.error().message, "/nowhere/libnvrtc.so.13"));
}

TEST_CASE("NVRTC gives machine code and PTX") {
  const auto nvrtc = nvrtc_or_skip();
  if (!nvrtc) return;
  KernelSource source = good_kernel();
  source.entries[0].launch = {.block = {128}, .dynamic_shared_bytes = 512};
  const KernelBinary binary = nvrtc->compile(source, gpu("sm_80")).value();
  CHECK(binary.payloads.size() == 2);
  CHECK(text_of(binary.find(PayloadKind::cubin))
            .starts_with("\x7f"
                         "ELF"));
  const std::string ptx = text_of(binary.find(PayloadKind::ptx));
  CHECK(contains(ptx, ".target sm_80"));
  CHECK(contains(ptx, ".entry entry("));
  CHECK(!contains(ptx, std::string(1, '\0')));
  CHECK(binary.entries == source.entries);
}

TEST_CASE("resource use is what ptxas reports, and the launch's shared memory") {
  const auto nvrtc = nvrtc_or_skip();
  if (!nvrtc) return;
  KernelSource source = good_kernel();
  source.entries[0].launch.dynamic_shared_bytes = 512;
  const auto use = nvrtc->compile(source, gpu("sm_80"))->resources;
  CHECK(use.registers > 4);
  CHECK(use.registers < 64);
  CHECK(use.static_shared_bytes == 128);
  CHECK(use.dynamic_shared_bytes == 512);
  CHECK(use.spill_store_bytes == 0);
  CHECK(use.stack_bytes == 0);

  const auto spilling = nvrtc->compile(
      kernel("extern \"C\" __global__ void __launch_bounds__(1024, 2) entry(float* x, const float* y) {\n"
             "  float v[96];\n"
             "#pragma unroll\n"
             "  for (int i = 0; i < 96; ++i) v[i] = y[i * 1024 + threadIdx.x];\n"
             "  __syncthreads();\n"
             "#pragma unroll\n"
             "  for (int i = 0; i < 96; ++i) x[(95 - i) * 1024 + threadIdx.x] = v[i] * v[(i * 7) % 96];\n"
             "}\n"),
      gpu("sm_80"));
  CHECK(spilling->resources.registers <= 32);
  CHECK(spilling->resources.spill_store_bytes > 0);
  CHECK(spilling->resources.spill_load_bytes > 0);
}

TEST_CASE("warnings stay in the log of what compiled") {
  const auto nvrtc = nvrtc_or_skip();
  if (!nvrtc) return;
  const auto binary =
      nvrtc->compile(kernel("extern \"C\" __global__ void entry() {\n  int never_read;\n}\n"), gpu("sm_80"));
  REQUIRE(binary);
  CHECK(contains(binary->log, "never_read"));
  CHECK(contains(binary->log, "cuda/test.cu(2)"));
}

TEST_CASE("headers are found in memory, by the names that sources include") {
  const auto nvrtc = nvrtc_or_skip();
  if (!nvrtc) return;
  KernelSource source = kernel(
      "#include <lathe/a.h>\n#include \"common/b.h\"\n"
      "extern \"C\" __global__ void entry(int* x) { *x = kA + kB; }\n");
  source.headers = {{"common/b.h", "#pragma once\n#include <lathe/a.h>\nconstexpr int kB = kA + 1;\n"},
                    {"lathe/a.h", "#pragma once\nconstexpr int kA = 1;\n"}};
  CHECK(nvrtc->compile(source, gpu("sm_80")));
  source.headers.pop_back();
  CHECK(!nvrtc->compile(source, gpu("sm_80")));
}

TEST_CASE("a source that does not compile comes back with log, options and numbered lines") {
  const auto nvrtc = nvrtc_or_skip();
  if (!nvrtc) return;
  KernelSource source = kernel(
      "#include \"common/b.h\"\n"
      "extern \"C\" __global__ void entry(int* x) {\n"
      "  *x = no_such_thing;\n"
      "}\n");
  source.headers = {{"common/b.h", "inline int f() {\n  return 1\n}\n"}};
  const auto binary = nvrtc->compile(source, gpu("sm_90a"));
  REQUIRE(!binary);
  const Error& error = binary.error();
  CHECK(error.code == ErrorCode::compile_failed);
  CHECK(error.stage == lathe::Stage::compile);
  CHECK(contains(error.message, "did not compile cuda/test.cu"));
  CHECK(error.log.starts_with("options: "));
  CHECK(contains(error.log, "--gpu-architecture=sm_90a"));
  CHECK(contains(error.log, "no_such_thing"));
  CHECK(contains(error.excerpt, "cuda/test.cu:\n"));
  CHECK(contains(error.excerpt, ">     3 |   *x = no_such_thing;\n"));
  CHECK(contains(error.excerpt, "common/b.h:\n"));
  CHECK(contains(error.excerpt, "      2 |   return 1\n"));
}

TEST_CASE("a failure behind the compiler's front end comes back too") {
  const auto nvrtc = nvrtc_or_skip();
  if (!nvrtc) return;
  const auto too_much =
      nvrtc->compile(kernel("extern \"C\" __global__ void entry(int* x) {\n"
                            "  __shared__ int cells[1 << 20];\n"
                            "  cells[threadIdx.x] = *x;\n  __syncthreads();\n  *x = cells[7];\n}\n"),
                     gpu("sm_80"));
  REQUIRE(!too_much);
  CHECK(too_much.error().code == ErrorCode::compile_failed);
  CHECK(contains(too_much.error().log, "too much shared data"));
}

TEST_CASE("an architecture that is not known is refused with those that are") {
  const auto nvrtc = nvrtc_or_skip();
  if (!nvrtc) return;
  const auto unknown = nvrtc->compile(good_kernel(), gpu("sm_42"));
  REQUIRE(!unknown);
  CHECK(unknown.error().code == ErrorCode::unsupported);
  CHECK(unknown.error().message == "NVRTC does not compile for cuda:sm_42");
  CHECK(contains(unknown.error().hint, "sm_80, sm_86"));
  const auto cpu = nvrtc->compile(good_kernel(), {Backend::cpu, "sm_80", {}});
  REQUIRE(!cpu);
  CHECK(cpu.error().message == "NVRTC does not compile for cpu:sm_80");
}

TEST_CASE("rms_norm compiles for every architecture, or NVRTC says that it is too old") {
  const auto nvrtc = nvrtc_or_skip();
  if (!nvrtc) return;
  const TemplateLibrary library = TemplateLibrary::embedded();
  int compiled = 0;
  for (const CudaArch& arch : cuda_archs()) {
    INFO(arch.name);
    const auto spec = op_of(RmsNormSpec{}).normalize(RmsNormSpec{.hidden_size = 4096}).value();
    const Target target = gpu(std::string(arch.name));
    const auto binary = nvrtc->compile(render(spec, target, library).value(), target);
    if (binary) {
      ++compiled;
      CHECK(contains(text_of(binary->find(PayloadKind::ptx)), ".target " + target.arch));
      CHECK(binary->resources.registers > 0);
      CHECK(binary->resources.spill_store_bytes == 0);
    } else {
      CHECK(binary.error().code == ErrorCode::unsupported);
      CHECK(contains(binary.error().message, "does not know " + target.arch));
    }
  }
  CHECK(compiled >= 6);  // what every NVRTC since 12.0 knows: sm_80 to sm_90a
}

TEST_CASE("GPU templates compile as they stand, with their sample values") {
  const auto nvrtc = nvrtc_or_skip();
  if (!nvrtc) return;
  const TemplateLibrary library = TemplateLibrary::embedded();
  int templates = 0;
  for (const SourceFile& file : library.files()) {
    if (!file.name.ends_with(".cu")) continue;
    ++templates;
    const KernelSource source{.name = file.name,
                              .text = file.text,
                              .headers = library.headers_of(file.name).value(),
                              .entries = {}};
    const auto binary = nvrtc->compile(source, gpu("sm_80"));
    INFO(file.name << "\n" << (binary ? "" : binary.error().log));
    CHECK(binary.has_value());
  }
  CHECK(templates > 0);
}

TEST_CASE("no choice of a spec makes rms_norm spill or warn") {
  const auto nvrtc = nvrtc_or_skip();
  if (!nvrtc) return;
  const TemplateLibrary library = TemplateLibrary::embedded();
  using enum lathe::Casting;
  using lathe::OutputScale;
  using lathe::Residual;
  const RmsNormSpec specs[] = {
      {.hidden_size = 1, .dtype = lathe::f32, .store_rstd = true},
      {.hidden_size = 127, .casting = none, .residual = Residual::round_then_norm},
      {.hidden_size = 128, .weight_dtype = lathe::f32, .casting = llama, .heads = 32},
      {.hidden_size = 1000, .dtype = lathe::f16, .has_weight = false, .residual = Residual::norm_then_round},
      {.hidden_size = 4095, .dtype = lathe::f16, .weight_offset = 1, .casting = none},
      {.hidden_size = 16384, .dtype = lathe::f32, .residual = Residual::norm_then_round, .store_rstd = true},
      {.hidden_size = 16383, .weight_dtype = lathe::f32, .residual = Residual::round_then_norm},
      {.hidden_size = 131072, .dtype = lathe::f32, .residual = Residual::round_then_norm},
      {.hidden_size = 4096, .y_dtype = lathe::e4m3, .y_scale = OutputScale::per_row},
      {.hidden_size = 1027,
       .residual = Residual::norm_then_round,
       .y_dtype = lathe::e5m2,
       .y_scale = OutputScale::per_block},
      {.hidden_size = 131072, .y_dtype = lathe::e4m3, .y_scale = OutputScale::per_block},
      {.hidden_size = 16384,
       .dtype = lathe::f16,
       .y_dtype = lathe::e4m3,
       .y_scale = OutputScale::per_tensor}};
  for (const RmsNormSpec& plain : specs) {
    const auto spec = op_of(plain).normalize(plain).value();
    for (const char* arch : {"sm_80", "sm_90a"}) {
      INFO(canonical_text(spec) << " for " << arch);
      const auto binary = nvrtc->compile(render(spec, gpu(arch), library).value(), gpu(arch));
      REQUIRE(binary);
      CHECK(binary->resources.spill_store_bytes == 0);
      CHECK(binary->resources.stack_bytes == 0);
      INFO(binary->log);
      CHECK(!contains(binary->log, "warning"));
    }
  }
}

TEST_CASE("the emulator gets what the GPU gets") {
  const auto nvrtc = nvrtc_or_skip();
  if (!nvrtc) return;
  const auto for_gpu = nvrtc->compile(good_kernel(), gpu("sm_90a")).value();
  CHECK(nvrtc->compile(good_kernel(), {Backend::emulate, "sm_90a", {}}).value() == for_gpu);
}

TEST_CASE("the identity names version, build and options, and no place on this machine") {
  const auto nvrtc = nvrtc_or_skip();
  if (!nvrtc) return;
  const std::string identity = nvrtc->identity();
  CHECK(identity.starts_with("nvrtc 1"));
  CHECK(contains(identity, " --std=c++20"));
  CHECK(!contains(identity, "/"));
  CHECK(!contains(identity, "\n"));
  CHECK(nvrtc_or_skip()->identity() == identity);
}

TEST_CASE("line information names templates, and no place on this machine") {
  const auto nvrtc = nvrtc_or_skip();
  if (!nvrtc) return;
  KernelSource source = kernel(
      "#include \"common/b.h\"\n"
      "extern \"C\" __global__ void entry(float* x) {\n"
      "  x[threadIdx.x] = half_of(x[threadIdx.x]);\n"
      "}\n");
  source.headers = {
      {"common/b.h", "#pragma once\n__device__ inline float half_of(float a) { return a / 2; }\n"}};
  const KernelBinary binary = nvrtc->compile(source, gpu("sm_80")).value();
  const std::string ptx = text_of(binary.find(PayloadKind::ptx));
  const std::string cubin = text_of(binary.find(PayloadKind::cubin));
  CHECK(contains(ptx, "\"/lathe-templates/cuda/test.cu\""));
  CHECK(contains(ptx, "\"/lathe-templates/common/b.h\""));
  CHECK(contains(ptx, "\t.loc\t1 3 "));
  CHECK(contains(cubin, "/lathe-templates/"));
  const std::string here = std::filesystem::current_path().string();
  CHECK(!contains(ptx, here));
  CHECK(!contains(cubin, here));
}

TEST_CASE("several threads compile at once, with the results of one") {
  const auto nvrtc = nvrtc_or_skip();
  if (!nvrtc) return;
  const KernelBinary alone = nvrtc->compile(good_kernel(), gpu("sm_80")).value();
  constexpr int kThreads = 4;
  std::vector<lathe::Result<KernelBinary>> results(kThreads, Error{});
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      // Every other one fails, so that logs would be mixed up if they could be.
      results[static_cast<std::size_t>(i)] = nvrtc->compile(
          i % 2 == 0 ? good_kernel() : kernel("wrong_" + std::to_string(i) + " x;\n"), gpu("sm_80"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < kThreads; ++i) {
    const auto& result = results[static_cast<std::size_t>(i)];
    INFO(i);
    REQUIRE(result.has_value() == (i % 2 == 0));
    if (result) {
      CHECK(result->payloads == alone.payloads);
    } else {
      CHECK(contains(result.error().excerpt, "wrong_" + std::to_string(i)));
    }
  }
}
