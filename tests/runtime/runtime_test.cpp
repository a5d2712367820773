#include <lathe/runtime.h>

#include <cstring>
#include <set>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using namespace lathe;
using lathe::tests::TempDir;

namespace {

Options options_in(const TempDir& directory) {
  Options options;
  options.cache_dir = directory.path().string();
  return options;
}

}  // namespace

TEST_CASE("opening with options that cannot be meant is an error") {
  Options options;
  options.device = -1;
  CHECK(Runtime::open(options).error().code == ErrorCode::invalid_argument);
  options = {};
  options.target = Target::parse("cuda:sm_80a").value();  // no GPU is one
  CHECK(Runtime::open(options).error().code == ErrorCode::device_missing);
  options = {};
  options.template_dir = "/nonexistent";
  CHECK(Runtime::open(options).error().message.find("/nonexistent") != std::string::npos);
}

TEST_CASE("a cache directory that cannot be used is a warning") {
  Options options;
  options.cache_dir = "/dev/null";
  options.read_only_cache_dirs = "/dev/null";
  const Runtime runtime = Runtime::open(options).value();
  const auto warnings = runtime.stats().warnings;
  REQUIRE(warnings.size() == 2);
  CHECK(warnings[0].find("/dev/null is not a directory") != std::string::npos);
}

#if LATHE_WITH_LLVM
TEST_CASE("with no GPU asked for, the CPU runs kernels") {
  const TempDir directory;
  Options options = options_in(directory);
  options.target = Target::parse("cpu").value();
  Runtime runtime = Runtime::open(options).value();
  CHECK(runtime.has_device());
  CHECK_FALSE(runtime.target().is_native());
  CHECK_FALSE(runtime.device().name.empty());
  CHECK(runtime.device().processors >= 1);

  const RmsNormSpec spec{.hidden_size = 256, .dtype = f32, .has_weight = false};
  CHECK_FALSE(runtime.try_get(spec).has_value());
  const auto kernel = runtime.get(spec).value();
  CHECK(runtime.try_get(spec).has_value());

  const Buffer x = runtime.allocate(256 * sizeof(float)).value();
  std::vector<float> host(256, 3.0f);
  runtime.copy_to_device(x.data(), host.data(), x.size(), {}).value();
  const double elapsed =
      runtime
          .time_ms({},
                   [&] { return kernel.launch({.x = x.data(), .y = x.data(), .rows = 1, .epsilon = 0}, {}); })
          .value();
  CHECK(elapsed >= 0);
  runtime.synchronize({}).value();
  runtime.copy_to_host(host.data(), x.data(), x.size(), {}).value();
  CHECK(host[0] == 1.0f);
  CHECK(host[255] == 1.0f);
}

TEST_CASE("kernels are made in the background") {
  const TempDir directory;
  Options options = options_in(directory);
  options.target = Target::parse("cpu").value();
  Runtime runtime = Runtime::open(options).value();
  std::vector<KernelSpec> specs;
  for (const std::int64_t size : {64, 128, 192}) specs.emplace_back(RmsNormSpec{.hidden_size = size});
  runtime.prefetch(specs);
  std::vector<std::shared_future<Result<Kernel>>> futures;
  for (const KernelSpec& spec : specs) futures.push_back(runtime.get_async(spec));
  for (const auto& future : futures) CHECK(future.get().has_value());
  CHECK(runtime.stats().compiles == 3);
  CHECK_FALSE(runtime.get_async(RmsNormSpec{.hidden_size = -1}).get().has_value());
}

TEST_CASE("closing a runtime keeps every promise") {
  const TempDir directory;
  std::vector<std::shared_future<Result<Kernel>>> futures;
  {
    Options options = options_in(directory);
    options.target = Target::parse("cpu").value();
    options.compile_threads = 1;
    Runtime runtime = Runtime::open(options).value();
    for (std::int64_t size = 1; size <= 20; ++size)
      futures.push_back(runtime.get_async(RmsNormSpec{.hidden_size = size}));
  }
  for (const auto& future : futures) {
    const auto& kernel = future.get();
    CHECK((kernel.has_value() || kernel.error().code == ErrorCode::cancelled));
  }
}

TEST_CASE("code for a larger processor is refused, not run") {
  Options options;
  options.disk_cache = false;
  // No machine has all of a processor that is yet to be built; Clang knows some.
  options.target = Target::parse("cpu:diamondrapids").value();
  const auto runtime = Runtime::open(options);
  REQUIRE_FALSE(runtime.has_value());
  CHECK(
      (runtime.error().code == ErrorCode::device_missing || runtime.error().code == ErrorCode::unsupported));
  options.target = Target::parse("cpu:pentium-mmx-x").value();
  CHECK(Runtime::open(options).error().code == ErrorCode::unsupported);
}
#endif

#if LATHE_WITH_CUDA
TEST_CASE("kernels for GPUs are compiled ahead of time without one") {
  const TempDir directory;
  Runtime runtime = Runtime::open(options_in(directory)).value();
  std::vector<PrecompileItem> items;
  for (const char* arch : {"cuda:sm_80", "cuda:sm_90a"}) {
    for (const std::int64_t size : {128, 4096})
      items.push_back({RmsNormSpec{.hidden_size = size}, Target::parse(arch).value()});
  }
  items.push_back({RmsNormSpec{.hidden_size = 0}, Target::parse("cuda:sm_80").value()});
  std::set<std::size_t> done;
  const auto outcomes =
      runtime.precompile(items, [&](const PrecompileOutcome& outcome) { done.insert(outcome.index); });
  REQUIRE(outcomes.size() == 5);
  CHECK(done.size() == 5);
  CHECK(outcomes[4].error->code == ErrorCode::invalid_spec);
  if (outcomes[0].error && outcomes[0].error->code == ErrorCode::toolchain_missing) {
    WARN("skipped: no NVRTC on this machine");
    return;
  }
  for (std::size_t i = 0; i < 4; ++i) {
    INFO(i);
    REQUIRE_FALSE(outcomes[i].error.has_value());
    CHECK_FALSE(outcomes[i].was_cached);
    CHECK(outcomes[i].resources.registers > 0);
  }
  Runtime again = Runtime::open(options_in(directory)).value();
  const auto cached = again.precompile(std::span(items).first(4));
  for (const PrecompileOutcome& outcome : cached) {
    CHECK(outcome.was_cached);
    CHECK(outcome.compile_time.count() > 0);  // of the compile back then
  }
  CHECK(again.stats().compiles == 0);

  const std::atomic<bool> stop{true};
  for (const PrecompileOutcome& outcome : again.precompile(items, {}, &stop)) {
    CHECK(outcome.error->code == ErrorCode::cancelled);
  }
}
#endif

#if !LATHE_WITH_LLVM && !LATHE_WITH_CUDA
TEST_CASE("a runtime without any compiler or executor opens and says what it lacks") {
  const TempDir directory;
  Runtime runtime = Runtime::open(options_in(directory)).value();
  CHECK_FALSE(runtime.has_device());
  const auto kernel = runtime.get(RmsNormSpec{.hidden_size = 64});
  REQUIRE_FALSE(kernel.has_value());
  CHECK(kernel.error().code == ErrorCode::device_missing);
  CHECK(kernel.error().message.find("no CUDA executor") != std::string::npos);
  CHECK(kernel.error().message.find("no CPU executor") != std::string::npos);
  CHECK(kernel.error().hint.find("LATHE_WITH_") != std::string::npos);
}
#endif
