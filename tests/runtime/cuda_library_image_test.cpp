#include "runtime/cuda/library_image.h"

#include <memory>

#include "tests/support/catch.h"
#include "tests/support/fake_driver.h"

using lathe::ErrorCode;
using lathe::codegen::Bytes;
using lathe::codegen::KernelBinary;
using lathe::codegen::PayloadKind;
using lathe::runtime::cuda::LibraryImage;
using lathe::runtime::cuda::Session;
using lathe::runtime::cuda::Status;
using lathe::testing::FakeDriver;
using lathe::testing::tiny_cubin;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Bytes bytes_of(const std::string& text) {
  const auto* start = reinterpret_cast<const std::byte*>(text.data());
  return {start, start + text.size()};
}

/// Of a length that fills its allocation to the last byte, so that a missing terminator shows.
const std::string kPtx = ".version 9.0 .target s_9";

KernelBinary cubin_and_ptx() {
  return {.payloads = {{PayloadKind::cubin, tiny_cubin()}, {PayloadKind::ptx, bytes_of(kPtx)}},
          .entries = {{"kernel"}},
          .log = {}};
}

struct Bench {
  FakeDriver driver;
  std::unique_ptr<const Session> session = Session::open(driver.api(), 0).value();

  lathe::Result<LibraryImage> load(const KernelBinary& binary) const {
    return LibraryImage::load(*session, binary);
  }
};

}  // namespace

TEST_CASE("the cubin is loaded once and unloaded once") {
  Bench bench;
  {
    auto image = bench.load(cubin_and_ptx());
    REQUIRE(image.has_value());
    CHECK(image->entries().front().function != nullptr);
    CHECK(image->entries().front().parameter_bytes == std::size_t{8});
    const LibraryImage moved = std::move(*image);
    CHECK(bench.driver.live_libraries == 1);
  }
  CHECK(bench.driver.loaded == std::vector<std::string>{"cubin"});
  CHECK(bench.driver.log_buffers_given == 0);  // a library that stays must not know buffers that go
  CHECK(bench.driver.count("cuLibraryUnload") == 1);
  CHECK(bench.driver.live_libraries == 0);
}

TEST_CASE("a cubin of another architecture falls back to the PTX") {
  Bench bench;
  bench.driver.cubin_status = Status::no_binary_for_gpu;
  bench.driver.is_lazy = GENERATE(false, true);
  const auto image = bench.load(cubin_and_ptx());
  REQUIRE(image.has_value());
  CHECK(bench.driver.loaded.front() == "cubin");
  CHECK(bench.driver.loaded.back() == kPtx);
  CHECK(bench.driver.live_libraries == 1);  // the refused one is not kept
}

TEST_CASE("a PTX that the driver cannot compile comes back with its log") {
  Bench bench;
  bench.driver.cubin_status = Status::no_binary_for_gpu;
  bench.driver.ptx_status = Status::unsupported_ptx_version;
  bench.driver.jit_log = "ptxas fatal: Unsupported .version 9.0; current version is '8.4'";
  const auto image = bench.load(cubin_and_ptx());
  REQUIRE_FALSE(image.has_value());
  CHECK(image.error().code == ErrorCode::load_failed);
  CHECK(contains(image.error().message, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"));
  CHECK(contains(image.error().message, "the cubin is for another architecture"));
  CHECK(contains(image.error().message, "cuda:sm_90a"));
  CHECK(contains(image.error().hint, "NVRTC is newer"));
  CHECK(image.error().log == bench.driver.jit_log);
  CHECK(bench.driver.live_libraries == 0);
  CHECK(bench.driver.log_buffers_given == 1);  // to the second try of the PTX
}

TEST_CASE("a log longer than the buffer is cut, not overrun") {
  Bench bench;
  bench.driver.cubin_status = Status::invalid_image;
  bench.driver.jit_log = std::string(100'000, 'x');
  const auto image = bench.load(cubin_and_ptx());
  REQUIRE_FALSE(image.has_value());
  CHECK(image.error().log.size() > 1000);
  CHECK(image.error().log == std::string(image.error().log.size(), 'x'));
}

TEST_CASE("other failures of the cubin are not covered up by the PTX") {
  Bench bench;
  const Status status = GENERATE(Status::invalid_image, Status::out_of_memory);
  bench.driver.cubin_status = status;
  const auto image = bench.load(cubin_and_ptx());
  REQUIRE_FALSE(image.has_value());
  CHECK(image.error().code ==
        (status == Status::out_of_memory ? ErrorCode::out_of_memory : ErrorCode::load_failed));
  CHECK(bench.driver.loaded.back() == "cubin");
}

TEST_CASE("a damaged cubin never reaches the driver") {
  Bench bench;
  KernelBinary binary = cubin_and_ptx();
  binary.payloads[0].bytes.resize(10);
  const auto image = bench.load(binary);
  REQUIRE_FALSE(image.has_value());
  CHECK(image.error().code == ErrorCode::load_failed);
  CHECK(bench.driver.loaded.empty());
}

TEST_CASE("an entry point that is not there is an error and unloads the library") {
  Bench bench;
  bench.driver.entries = {"another"};
  const auto image = bench.load(cubin_and_ptx());
  REQUIRE_FALSE(image.has_value());
  CHECK(image.error().code == ErrorCode::load_failed);
  CHECK(contains(image.error().message, "\"kernel\""));
  CHECK(bench.driver.live_libraries == 0);
}

TEST_CASE("a binary without GPU code is refused") {
  Bench bench;
  const auto image =
      bench.load({.payloads = {{PayloadKind::object, Bytes(4)}}, .entries = {{"kernel"}}, .log = {}});
  REQUIRE_FALSE(image.has_value());
  CHECK(image.error().code == ErrorCode::load_failed);
  CHECK(contains(image.error().message, "neither"));
}

TEST_CASE("a driver before 12.4 does not tell the size of the parameter") {
  FakeDriver driver;
  driver.version = 12020;
  const auto session = Session::open(driver.api(), 0).value();
  const auto image = LibraryImage::load(*session, cubin_and_ptx());
  REQUIRE(image.has_value());
  CHECK_FALSE(image->entries().front().parameter_bytes.has_value());
}

TEST_CASE("unloading after the driver is gone goes unnoticed") {
  Bench bench;
  {
    const auto image = bench.load(cubin_and_ptx());
    REQUIRE(image.has_value());
    bench.driver.fail("cuCtxGetCurrent", Status::deinitialized);
    bench.driver.fail("cuThreadExchangeStreamCaptureMode", Status::deinitialized);
    bench.driver.fail("cuLibraryUnload", Status::deinitialized);
  }
  CHECK(bench.driver.count("cuLibraryUnload") == 1);
}
