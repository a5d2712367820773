#include "runtime/pipeline.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <optional>
#include <thread>
#include <vector>

#include "cache/disk_store.h"
#include "cache/memory_store.h"
#include "cache/overlay_store.h"
#include "tests/support/catch.h"
#include "tests/support/fake_compiler.h"
#include "tests/support/fake_executor.h"
#include "tests/support/temp_dir.h"

using namespace lathe;
using lathe::runtime::Pipeline;
using lathe::runtime::PipelineParts;
using lathe::runtime::Toolchains;
using lathe::tests::FakeCompiler;
using lathe::tests::FakeExecutor;
using lathe::tests::TempDir;

namespace {

const Target kTarget{Backend::cuda, "sm_90a", {}};
const RmsNormSpec kSpec{.hidden_size = 4096};

/// A Compiler that passes on to one that the test keeps.
class Forward : public codegen::Compiler {
 public:
  explicit Forward(std::shared_ptr<FakeCompiler> to) : to_(std::move(to)) {}
  std::string identity() const override { return to_->identity(); }
  Result<codegen::KernelBinary> compile(const codegen::KernelSource& source,
                                        const Target& target) const override {
    return to_->compile(source, target);
  }

 private:
  std::shared_ptr<FakeCompiler> to_;
};

/// A whole pipeline over fakes; what a process would have. Several may share a directory.
struct Bench {
  explicit Bench(const std::filesystem::path& directory, Mode mode = Mode::compile, bool has_compiler = true)
      : executor(std::make_shared<FakeExecutor>(kTarget)), compiler(std::make_shared<FakeCompiler>()) {
    auto disk = std::shared_ptr<cache::DiskStore>(cache::DiskStore::open({.root = directory}).value());
    auto memory = std::make_shared<cache::MemoryStore>(1 << 20);
    PipelineParts parts{.executor = executor,
                        .no_executor = std::nullopt,
                        .target = kTarget,
                        .toolchains = std::make_shared<Toolchains>(
                            [this, has_compiler](Backend) -> Result<std::unique_ptr<codegen::Compiler>> {
                              if (has_compiler) return std::make_unique<Forward>(compiler);
                              return Error{.code = ErrorCode::toolchain_missing,
                                           .stage = Stage::compile,
                                           .message = "no compiler here"};
                            }),
                        .templates = codegen::TemplateLibrary::embedded(),
                        .stores = std::make_shared<cache::OverlayStore>(std::vector<cache::OverlayLayer>{
                            {.store = memory, .promote = true}, {.store = disk}}),
                        .disk = disk,
                        .trace = nullptr,
                        .mode = mode,
                        .lock_timeout = std::chrono::seconds(5),
                        .on_event = [this](const Event& event) {
                          const std::lock_guard lock(events_mutex);
                          events.push_back(event.kind);
                        }};
    pipeline = std::make_unique<Pipeline>(std::move(parts));
  }

  int count(Event::Kind kind) {
    const std::lock_guard lock(events_mutex);
    return static_cast<int>(std::count(events.begin(), events.end(), kind));
  }

  std::mutex events_mutex;
  std::vector<Event::Kind> events;
  std::shared_ptr<FakeExecutor> executor;
  std::shared_ptr<FakeCompiler> compiler;
  std::unique_ptr<Pipeline> pipeline;
};

}  // namespace

TEST_CASE("a kernel is compiled once, then found loaded") {
  const TempDir directory;
  Bench bench(directory.path());
  const Kernel first = bench.pipeline->kernel(kSpec).value();
  const Kernel second = bench.pipeline->kernel(kSpec).value();
  CHECK(first.key() == second.key());
  CHECK(bench.compiler->compiles == 1);
  CHECK(bench.executor->loads == 1);
  const Stats stats = bench.pipeline->stats();
  CHECK(stats.misses == 1);
  CHECK(stats.compiles == 1);
  CHECK(stats.table_hits == 1);
  CHECK(bench.count(Event::Kind::compiled) == 1);
  CHECK(bench.count(Event::Kind::published) == 1);
  CHECK(bench.count(Event::Kind::loaded) == 1);
}

TEST_CASE("two spellings of one spec are one kernel") {
  const TempDir directory;
  Bench bench(directory.path());
  RmsNormSpec spelt_out = kSpec;
  spelt_out.weight_dtype = bf16;
  spelt_out.alignment = 16;
  CHECK(bench.pipeline->kernel(kSpec).value().key() == bench.pipeline->kernel(spelt_out).value().key());
  CHECK(bench.compiler->compiles == 1);
  CHECK(bench.executor->loads == 1);
}

TEST_CASE("a second process finds the kernel on disk") {
  const TempDir directory;
  {
    REQUIRE(Bench(directory.path()).pipeline->kernel(kSpec).has_value());
  }
  Bench bench(directory.path());
  REQUIRE(bench.pipeline->kernel(kSpec).has_value());
  CHECK(bench.compiler->compiles == 0);
  CHECK(bench.pipeline->stats().disk_hits == 1);
  CHECK(bench.pipeline->binary(kSpec, kTarget).value().was_cached);
  CHECK(bench.pipeline->stats().memory_hits == 1);  // promoted by the first look-up
}

TEST_CASE("many threads that want one kernel share one compile") {
  const TempDir directory;
  Bench bench(directory.path());
  bench.compiler->delay = std::chrono::milliseconds(50);
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { failures += bench.pipeline->kernel(kSpec).has_value() ? 0 : 1; });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  CHECK(bench.compiler->compiles == 1);
}

TEST_CASE("pipelines that share a directory compile a kernel once between them") {
  const TempDir directory;
  Bench one(directory.path()), two(directory.path());
  one.compiler->delay = two.compiler->delay = std::chrono::milliseconds(100);
  bool is_other_good = false;  // Catch2's assertions are for one thread at a time
  std::thread other([&] { is_other_good = two.pipeline->kernel(kSpec).has_value(); });
  CHECK(one.pipeline->kernel(kSpec).has_value());
  other.join();
  CHECK(is_other_good);
  CHECK(one.compiler->compiles + two.compiler->compiles == 1);
  CHECK(one.pipeline->stats().lock_waits + two.pipeline->stats().lock_waits == 1);
}

TEST_CASE("a failed compile is reported again without compiling again") {
  const TempDir directory;
  Bench bench(directory.path());
  bench.compiler->fail_with(
      {.code = ErrorCode::compile_failed, .stage = Stage::compile, .message = "no", .log = "line 1"});
  for (int i = 0; i < 3; ++i) {
    const auto kernel = bench.pipeline->kernel(kSpec);
    REQUIRE_FALSE(kernel.has_value());
    CHECK(kernel.error().log == "line 1");
    CHECK(kernel.error().spec.find("hidden_size=4096") != std::string::npos);
    CHECK(kernel.error().spec.ends_with("for cuda:sm_90a"));
  }
  CHECK(bench.compiler->compiles == 1);
  CHECK(bench.pipeline->stats().compile_failures == 1);
  // It is nowhere on disk: the next process tries for itself.
  Bench next(directory.path());
  CHECK(next.pipeline->kernel(kSpec).has_value());
}

TEST_CASE("a failure that may pass is not remembered") {
  const TempDir directory;
  Bench bench(directory.path());
  bench.compiler->fail_with(
      {.code = ErrorCode::out_of_memory, .stage = Stage::compile, .message = "no memory"});
  CHECK_FALSE(bench.pipeline->kernel(kSpec).has_value());
  bench.compiler->succeed();
  CHECK(bench.pipeline->kernel(kSpec).has_value());
}

TEST_CASE("an invalid spec never reaches the compiler") {
  const TempDir directory;
  Bench bench(directory.path());
  const auto kernel = bench.pipeline->kernel(RmsNormSpec{.hidden_size = 0});
  REQUIRE_FALSE(kernel.has_value());
  CHECK(kernel.error().code == ErrorCode::invalid_spec);
  CHECK(bench.compiler->compiles == 0);
}

TEST_CASE("a cached binary that the device refuses is compiled anew, once") {
  const TempDir directory;
  {
    REQUIRE(Bench(directory.path()).pipeline->kernel(kSpec).has_value());
  }
  Bench bench(directory.path());
  bench.executor->refuse_loads = 1;
  CHECK(bench.pipeline->kernel(kSpec).has_value());
  CHECK(bench.compiler->compiles == 1);
  CHECK(bench.pipeline->stats().warnings.size() == 1);

  Bench stubborn(directory.path());
  stubborn.executor->refuse_loads = 100;
  const auto kernel = stubborn.pipeline->kernel(kSpec);
  REQUIRE_FALSE(kernel.has_value());
  CHECK(kernel.error().code == ErrorCode::load_failed);
  CHECK(stubborn.compiler->compiles == 1);
}

TEST_CASE("a cached binary outlives a shortage of memory") {
  const TempDir directory;
  {
    REQUIRE(Bench(directory.path()).pipeline->kernel(kSpec).has_value());
  }
  Bench bench(directory.path());
  bench.executor->refuse_loads = 1;
  bench.executor->refusal = ErrorCode::out_of_memory;
  const auto kernel = bench.pipeline->kernel(kSpec);
  REQUIRE_FALSE(kernel.has_value());
  CHECK(kernel.error().code == ErrorCode::out_of_memory);
  CHECK(bench.pipeline->kernel(kSpec).has_value());
  CHECK(bench.compiler->compiles == 0);
  CHECK(bench.pipeline->stats().warnings.empty());
}

TEST_CASE("frozen: what is stored runs, what is not is an error that names the nearest entry") {
  const TempDir directory;
  {
    REQUIRE(Bench(directory.path()).pipeline->kernel(kSpec).has_value());
  }
  Bench bench(directory.path(), Mode::frozen);
  CHECK(bench.pipeline->kernel(kSpec).has_value());
  const auto kernel = bench.pipeline->kernel(RmsNormSpec{.hidden_size = 8192});
  REQUIRE_FALSE(kernel.has_value());
  CHECK(kernel.error().code == ErrorCode::frozen_miss);
  CHECK(kernel.error().message.find("spec.hidden_size: 8192 wanted, 4096 there") != std::string::npos);
  CHECK(bench.compiler->compiles == 0);

  const TempDir empty;
  const auto nothing = Bench(empty.path(), Mode::frozen).pipeline->kernel(kSpec);
  CHECK(nothing.error().message.find("the stores are empty") != std::string::npos);
}

TEST_CASE("without a compiler, what another machine compiled still runs") {
  const TempDir directory;
  {
    REQUIRE(Bench(directory.path()).pipeline->kernel(kSpec).has_value());
  }
  Bench bench(directory.path(), Mode::compile, /*has_compiler=*/false);
  CHECK(bench.pipeline->kernel(kSpec).has_value());
  const auto other = bench.pipeline->kernel(RmsNormSpec{.hidden_size = 8192});
  REQUIRE_FALSE(other.has_value());
  CHECK(other.error().code == ErrorCode::toolchain_missing);

  const TempDir empty;
  const auto nothing = Bench(empty.path(), Mode::compile, false).pipeline->kernel(kSpec);
  CHECK(nothing.error().message == "no compiler here; and no cache holds anything for cuda:sm_90a");
}

TEST_CASE("a cache that cannot be written costs nothing but time") {
  const TempDir directory;
  Bench bench(directory.path() / "file" / "below");
  std::ofstream(directory.path() / "file") << "not a directory";
  CHECK(bench.pipeline->kernel(kSpec).has_value());
  const Stats stats = bench.pipeline->stats();
  CHECK(stats.store_failures > 0);
  CHECK_FALSE(stats.warnings.empty());
}

TEST_CASE("binaries are made for any target and loaded nowhere") {
  const TempDir directory;
  Bench bench(directory.path());
  for (const char* arch : {"sm_80", "sm_90a", "sm_120"}) {
    const auto obtained = bench.pipeline->binary(kSpec, {Backend::cuda, arch, {}});
    REQUIRE(obtained.has_value());
    CHECK_FALSE(obtained->was_cached);
  }
  CHECK(bench.compiler->compiles == 3);
  CHECK(bench.executor->loads == 0);
}

TEST_CASE("explain says where a kernel is, or what comes nearest") {
  const TempDir directory;
  Bench bench(directory.path());
  Explanation explanation = bench.pipeline->explain(kSpec).value();
  CHECK(explanation.found_in.empty());
  CHECK(explanation.nearest.empty());
  CHECK(explanation.searched.size() == 2);
  CHECK(explanation.searched[0] == "memory: miss");

  const std::string key = bench.pipeline->kernel(kSpec).value().key();
  explanation = bench.pipeline->explain(kSpec).value();
  CHECK(explanation.found_in == "loaded");
  CHECK(explanation.key == key);
  CHECK(explanation.key_text.find("target: cuda:sm_90a") != std::string::npos);

  Bench next(directory.path());
  CHECK(next.pipeline->explain(kSpec).value().found_in == "disk " + directory.path().string());
  explanation = next.pipeline->explain(RmsNormSpec{.hidden_size = 4096, .store_rstd = true}).value();
  CHECK(explanation.nearest == key);
  CHECK(std::find(explanation.differences.begin(), explanation.differences.end(),
                  "spec.store_rstd: true wanted, false there") != explanation.differences.end());
  CHECK(next.compiler->compiles == 0);
}

TEST_CASE("a kernel launches what its op prepared") {
  const TempDir directory;
  Bench bench(directory.path());
  const Kernel kernel = bench.pipeline->kernel(kSpec).value();
  alignas(16) std::byte memory[16];
  RmsNormArgs args{.x = memory, .weight = memory, .y = memory, .rows = 7};
  REQUIRE(kernel.launch_bytes(&args, sizeof args, {}).has_value());
  const auto launches = bench.executor->launches();
  REQUIRE(launches.size() == 1);
  CHECK(launches[0].grid.x == 7);
  CHECK(reinterpret_cast<const RmsNormArgs*>(launches[0].args.data())->x_row_stride == 4096);

  args.rows = 0;
  CHECK(kernel.launch_bytes(&args, sizeof args, {}).has_value());
  CHECK(bench.executor->launches().size() == 1);  // nothing to do, nothing launched
  CHECK(kernel.launch_bytes(&args, sizeof args - 8, {}).error().code == ErrorCode::invalid_argument);
  CHECK(kernel.launch_bytes(nullptr, sizeof args, {}).error().code == ErrorCode::invalid_argument);
}

TEST_CASE("a launch queues all rounds of an op that takes several") {
  const TempDir directory;
  Bench bench(directory.path());
  const LinearCrossEntropySpec spec{.hidden_size = 64, .vocab_size = 1000, .store_d_weight = false};
  const Kernel kernel = bench.pipeline->kernel(spec).value();
  std::vector<std::byte> memory(1 << 20);
  void* const at = memory.data() + 256 - reinterpret_cast<std::uintptr_t>(memory.data()) % 256;
  // Pointers that are not followed.
  LinearCrossEntropyArgs args{.hidden = at,
                              .weight = at,
                              .targets = at,
                              .loss = static_cast<float*>(at),
                              .d_hidden = at,
                              .tokens = 300,
                              .workspace = at,
                              .workspace_bytes = 1 << 30,
                              .workspace_budget = 500'000};
  REQUIRE(kernel.launch_bytes(&args, sizeof args, {}).has_value());
  std::vector<Index> first_rows;
  for (const FakeExecutor::Launch& launch : bench.executor->launches())
    first_rows.push_back(reinterpret_cast<const LinearCrossEntropyArgs*>(launch.args.data())->first_row);
  // Four steps a round, and one more in the first and in the last.
  CHECK(first_rows == std::vector<Index>{0, 0, 0, 0, 0, 128, 128, 128, 128, 256, 256, 256, 256, 256});
}

TEST_CASE("kernels are unloaded when the last handle goes, not before") {
  const TempDir directory;
  std::optional<Kernel> kept;
  std::shared_ptr<FakeExecutor> executor;
  {
    Bench bench(directory.path());
    executor = bench.executor;
    kept = bench.pipeline->kernel(kSpec).value();
  }
  CHECK(executor->unloads == 0);
  kept.reset();
  CHECK(executor->unloads == 1);
}
