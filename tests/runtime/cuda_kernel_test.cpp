#include "runtime/cuda/cuda_kernel.h"

#include <cstring>
#include <thread>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/fake_driver.h"

using lathe::ErrorCode;
using lathe::codegen::Grid;
using lathe::codegen::KernelBinary;
using lathe::codegen::PayloadKind;
using lathe::runtime::cuda::Context;
using lathe::runtime::cuda::CudaKernel;
using lathe::runtime::cuda::DeviceAttribute;
using lathe::runtime::cuda::FunctionAttribute;
using lathe::runtime::cuda::LaunchAttributeId;
using lathe::runtime::cuda::Session;
using lathe::runtime::cuda::Status;
using lathe::runtime::cuda::StreamHandle;
using lathe::testing::FakeDriver;
using lathe::testing::tiny_cubin;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

KernelBinary binary() {
  return {.payloads = {{PayloadKind::cubin, tiny_cubin()}},
          .entries = {{"kernel", {.block = {256, 1, 1}}}},
          .log = {}};
}

KernelBinary cluster_binary(unsigned blocks) {
  KernelBinary made = binary();
  made.entries[0].launch.cluster = {blocks, 1, 1};
  return made;
}

struct Bench {
  explicit Bench(int major = 9) {
    driver.device_attributes[DeviceAttribute::compute_capability_major] = major;
    session = Session::open(driver.api(), 0).value();
  }
  lathe::Result<std::unique_ptr<lathe::runtime::LoadedKernel>> load(const KernelBinary& made) {
    return CudaKernel::load(*session, made);
  }
  const CudaKernel& use(const KernelBinary& made) {
    kernel = load(made).value();
    return static_cast<const CudaKernel&>(*kernel);
  }

  FakeDriver driver;
  std::unique_ptr<const Session> session;
  std::unique_ptr<lathe::runtime::LoadedKernel> kernel;
};

constexpr std::uint64_t kArgs = 0x1122334455667788;

std::span<const std::byte> args() {
  return std::as_bytes(std::span(&kArgs, 1));
}

StreamHandle stream() {
  static int place = 0;
  return static_cast<StreamHandle>(static_cast<void*>(&place));
}

}  // namespace

TEST_CASE("a launch passes grid, block, shared memory, stream and a copy of the arguments") {
  Bench bench;
  KernelBinary made = binary();
  made.entries[0].launch.block = {32, 4, 2};
  made.entries[0].launch.dynamic_shared_bytes = 1024;
  REQUIRE(bench.use(made).launch({Grid{.x = 7, .y = 3, .z = 2}}, args(), stream()).has_value());

  REQUIRE(bench.driver.launches.size() == 1);
  const auto& launch = bench.driver.launches.front();
  CHECK(launch.config.grid_x == 7);
  CHECK(launch.config.grid_y == 3);
  CHECK(launch.config.grid_z == 2);
  CHECK(launch.config.block_x == 32);
  CHECK(launch.config.block_y == 4);
  CHECK(launch.config.block_z == 2);
  CHECK(launch.config.shared_bytes == 1024);
  CHECK(launch.config.stream == stream());
  CHECK(launch.attributes.empty());
  CHECK(std::memcmp(launch.args.data(), &kArgs, sizeof kArgs) == 0);
}

TEST_CASE("the entry points of a kernel are launched in order, those with an empty grid are not") {
  Bench bench;
  bench.driver.entries = {"kernel", "second", "third"};
  KernelBinary made = binary();
  made.entries.push_back({"second", {.block = {64, 1, 1}, .cluster = {2, 1, 1}}});
  made.entries.push_back({"third", {.block = {32, 1, 1}}});
  const CudaKernel& kernel = bench.use(made);
  REQUIRE(kernel.launch({Grid{.x = 3}, Grid{.x = 4}, Grid{.x = 5}}, args(), stream()).has_value());
  REQUIRE(kernel.launch({Grid{}, Grid{.x = 8}, Grid{}}, args(), stream()).has_value());
  REQUIRE(kernel.launch({Grid{}, Grid{}, Grid{}}, args(), stream()).has_value());

  const auto& launches = bench.driver.launches;
  REQUIRE(launches.size() == 4);
  const unsigned grids[] = {3, 4, 5, 8};
  const unsigned blocks[] = {256, 64, 32, 64};
  for (std::size_t i = 0; i < 4; ++i) {
    INFO("launch " << i);
    CHECK(launches[i].config.grid_x == grids[i]);
    CHECK(launches[i].config.block_x == blocks[i]);
    CHECK(launches[i].attributes.size() == (blocks[i] == 64 ? 1 : 0));
    CHECK(std::memcmp(launches[i].args.data(), &kArgs, sizeof kArgs) == 0);
  }
}

TEST_CASE("a kernel that lacks one of its entry points is not loaded") {
  Bench bench;
  KernelBinary made = binary();
  made.entries.push_back({"second", {.block = {64, 1, 1}}});
  CHECK(!bench.load(made));
}

TEST_CASE("clusters and programmatic launches become attributes") {
  Bench bench;
  KernelBinary made = cluster_binary(4);
  made.entries[0].launch.programmatic_launch = true;
  REQUIRE(bench.use(made).launch({Grid{.x = 8}}, args(), stream()).has_value());

  const auto& attributes = bench.driver.launches.at(0).attributes;
  REQUIRE(attributes.size() == 2);
  CHECK(attributes[0].id == LaunchAttributeId::cluster_dimension);
  CHECK(attributes[0].value.cluster.x == 4);
  CHECK(attributes[0].value.cluster.y == 1);
  CHECK(attributes[0].value.cluster.z == 1);
  CHECK(attributes[1].id == LaunchAttributeId::programmatic_stream_serialization);
  CHECK(attributes[1].value.programmatic_stream_serialization == 1);
}

TEST_CASE("a device without programmatic launches is not asked for one") {
  Bench bench(8);
  KernelBinary made = binary();
  made.entries[0].launch.programmatic_launch = true;
  REQUIRE(bench.use(made).launch({Grid{.x = 1}}, args(), stream()).has_value());
  CHECK(bench.driver.launches.at(0).attributes.empty());
}

TEST_CASE("function attributes are set at load, once, and only where needed") {
  Bench bench;
  KernelBinary made = binary();
  std::vector<FakeDriver::Attribute> expected;
  SECTION("48 KiB of dynamic shared memory need none") {
    made.entries[0].launch.dynamic_shared_bytes = 48 << 10;
  }
  SECTION("more needs the attribute") {
    made.entries[0].launch.dynamic_shared_bytes = (48 << 10) + 1;
    expected = {{FunctionAttribute::max_dynamic_shared_size_bytes, (48 << 10) + 1}};
  }
  SECTION("clusters of 8 need none") {
    made.entries[0].launch.cluster = {8, 1, 1};
  }
  SECTION("clusters of 16 are not portable") {
    made.entries[0].launch.cluster = {16, 1, 1};
    expected = {{FunctionAttribute::non_portable_cluster_size_allowed, 1}};
  }
  const CudaKernel& kernel = bench.use(made);
  CHECK(bench.driver.function_attributes == expected);
  for (int i = 0; i < 3; ++i) REQUIRE(kernel.launch({Grid{.x = 16}}, args(), stream()).has_value());
  CHECK(bench.driver.function_attributes == expected);
  CHECK(bench.driver.count("cuLibraryLoadData") == 1);
  CHECK(bench.driver.count("cuKernelGetFunction") == 1);
}

TEST_CASE("a kernel that wants more than the device has is refused before its code is loaded") {
  Bench bench;
  KernelBinary made = binary();
  std::string says;
  SECTION("dynamic shared memory") {
    made.entries[0].launch.dynamic_shared_bytes = (227 << 10) + 16;
    says = "232464 bytes of dynamic shared memory";
  }
  SECTION("cluster size") {
    made.entries[0].launch.cluster = {32, 1, 1};
    says = "clusters of 32 blocks";
  }
  const auto kernel = bench.load(made);
  REQUIRE_FALSE(kernel.has_value());
  CHECK(kernel.error().code == ErrorCode::unsupported);
  CHECK(contains(kernel.error().message, says));
  CHECK(contains(kernel.error().message, "NVIDIA Fake"));
  CHECK(bench.driver.loaded.empty());
}

TEST_CASE("clusters are refused before sm_90") {
  Bench bench(8);
  const auto kernel = bench.load(cluster_binary(2));
  REQUIRE_FALSE(kernel.has_value());
  CHECK(kernel.error().code == ErrorCode::unsupported);
  CHECK(contains(kernel.error().message, "sm_90"));
}

TEST_CASE("static and dynamic shared memory count together") {
  Bench bench;
  bench.driver.static_shared_bytes = 1024;
  KernelBinary made = binary();
  made.entries[0].launch.dynamic_shared_bytes = 227 << 10;
  const auto kernel = bench.load(made);
  REQUIRE_FALSE(kernel.has_value());
  CHECK(kernel.error().code == ErrorCode::unsupported);
  CHECK(contains(kernel.error().message, "1024 of static"));
  CHECK(bench.driver.live_libraries == 0);
}

TEST_CASE("attributes that the driver refuses fail the load") {
  Bench bench;
  bench.driver.fail("cuFuncSetAttribute", Status::invalid_value);
  KernelBinary made = cluster_binary(16);
  const auto kernel = bench.load(made);
  REQUIRE_FALSE(kernel.has_value());
  CHECK(kernel.error().code == ErrorCode::load_failed);
  CHECK(bench.driver.live_libraries == 0);
}

TEST_CASE("damaged launch facts are refused") {
  Bench bench;
  KernelBinary made = binary();
  SECTION("no entry") {
    made.entries.clear();
  }
  SECTION("no threads") {
    made.entries[0].launch.block = {0, 1, 1};
  }
  SECTION("no blocks in a cluster") {
    made.entries[0].launch.cluster = {1, 0, 1};
  }
  const auto kernel = bench.load(made);
  REQUIRE_FALSE(kernel.has_value());
  CHECK(kernel.error().code == ErrorCode::load_failed);
  CHECK(contains(kernel.error().hint, "lathe cache verify"));
}

TEST_CASE("an empty grid launches nothing") {
  Bench bench;
  const CudaKernel& kernel = bench.use(binary());
  CHECK(kernel.launch({Grid{.x = 0}}, args(), stream()).has_value());
  CHECK(kernel.launch({Grid{.x = 4, .y = 0}}, args(), stream()).has_value());
  CHECK(bench.driver.launches.empty());
}

TEST_CASE("launches that cannot be are refused before the driver sees them") {
  Bench bench;
  const CudaKernel& kernel = bench.use(cluster_binary(2));
  const auto code_of = [&](const Grid& grid, std::span<const std::byte> with) {
    const auto launched = kernel.launch({grid}, with, stream());
    REQUIRE_FALSE(launched.has_value());
    return launched.error().code;
  };
  CHECK(code_of({.x = 1ull << 31}, args()) == ErrorCode::invalid_argument);
  CHECK(code_of({.x = 2, .y = 65536}, args()) == ErrorCode::invalid_argument);
  CHECK(code_of({.x = 3}, args()) == ErrorCode::internal);  // no multiple of the cluster
  CHECK(code_of({.x = 2}, args().first(4)) == ErrorCode::invalid_argument);
  CHECK(bench.driver.launches.empty());
}

TEST_CASE("a failed launch has the driver's name, words and a hint") {
  Bench bench;
  const CudaKernel& kernel = bench.use(binary());
  bench.driver.fail("cuLaunchKernelEx", Status::illegal_address);
  const auto launched = kernel.launch({Grid{.x = 1}}, args(), stream());
  REQUIRE_FALSE(launched.has_value());
  CHECK(launched.error().code == ErrorCode::launch_failed);
  CHECK(contains(launched.error().message, "\"kernel\": cuLaunchKernelEx: CUDA_ERROR_ILLEGAL_ADDRESS (700)"));
  CHECK(contains(launched.error().hint, "compute-sanitizer"));
}

TEST_CASE("the caller's context comes back after load, launch and unload") {
  Bench bench;
  static int place = 0;
  const auto own = static_cast<Context>(static_cast<void*>(&place));
  FakeDriver::set_current_context(own);
  const CudaKernel& kernel = bench.use(binary());
  CHECK(FakeDriver::current_context() == own);
  REQUIRE(kernel.launch({Grid{.x = 1}}, args(), stream()).has_value());
  CHECK(bench.driver.launches.at(0).context == FakeDriver::primary_context());
  CHECK(FakeDriver::current_context() == own);
  bench.kernel.reset();
  CHECK(FakeDriver::current_context() == own);
  CHECK(bench.driver.live_libraries == 0);
}

TEST_CASE("a launch during capture asks for nothing but the context and the launch") {
  Bench bench;
  const CudaKernel& kernel = bench.use(binary());
  FakeDriver::set_current_context(FakeDriver::primary_context());
  bench.driver.capture = lathe::runtime::cuda::CaptureStatus::active;
  const int pushes = bench.driver.count("cuCtxPushCurrent");
  const int exchanges = bench.driver.count("cuThreadExchangeStreamCaptureMode");
  REQUIRE(kernel.launch({Grid{.x = 1}}, args(), stream()).has_value());
  CHECK(bench.driver.launches.size() == 1);
  CHECK(bench.driver.count("cuCtxPushCurrent") == pushes);
  CHECK(bench.driver.count("cuThreadExchangeStreamCaptureMode") == exchanges);
  CHECK(bench.driver.count("cuStreamSynchronize") == 0);
  CHECK(bench.driver.count("cuMemAlloc") == 0);
}

TEST_CASE("threads launch one kernel at the same time") {
  Bench bench;
  const CudaKernel& kernel = bench.use(cluster_binary(2));
  constexpr int kThreads = 4;
  constexpr int kLaunches = 200;
  std::vector<std::thread> threads;
  std::vector<int> failures(kThreads, 0);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < kLaunches; ++i) {
        const std::uint64_t mine = static_cast<std::uint64_t>(t) * kLaunches + i;
        const Grid grid{.x = 2 * (mine + 1)};
        if (!kernel.launch({grid}, std::as_bytes(std::span(&mine, 1)), stream())) ++failures[t];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == std::vector<int>(kThreads, 0));
  REQUIRE(bench.driver.launches.size() == kThreads * kLaunches);
  bool all_whole = true;  // each launch has the grid and the arguments of one and the same call
  for (const auto& launch : bench.driver.launches) {
    std::uint64_t mine = 0;
    std::memcpy(&mine, launch.args.data(), sizeof mine);
    all_whole = all_whole && launch.config.grid_x == 2 * (mine + 1) &&
                launch.context == FakeDriver::primary_context() && launch.attributes.size() == 1;
  }
  CHECK(all_whole);
}
