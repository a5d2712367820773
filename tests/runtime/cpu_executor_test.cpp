#include "runtime/cpu/cpu_executor.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/cpu_binary.h"
#include "tests/support/tensor_map_spec.h"

using lathe::ErrorCode;
using lathe::codegen::KernelBinary;
using lathe::codegen::PayloadKind;
using lathe::runtime::make_cpu_executor;
using lathe::tests::bytes_of;
using lathe::tests::cpu_binary;

namespace {

/// Adds one to the counter of each block it is given.
struct CountArgs {
  int* counters;
};
const char* const kCount =
    "struct Args { int* counters; };\n"
    "extern \"C\" void kernel(const Args* args, long first, long last) {\n"
    "  for (long i = first; i < last; ++i) ++args->counters[i];\n"
    "}\n";

std::string store_of(int value) {
  return "extern \"C\" void kernel(int* const* args, long, long) { **args = " + std::to_string(value) + "; }";
}

}  // namespace

TEST_CASE("each block of a grid runs once, whatever the grid's size") {
  const auto executor = make_cpu_executor().value();
  const auto kernel = executor->load(cpu_binary(kCount)).value();
  for (const std::size_t blocks : {0, 1, 2, 3, 1000, 100001}) {
    INFO(blocks << " blocks");
    std::vector<int> counters(blocks + 1);
    const CountArgs args{counters.data()};
    REQUIRE(executor->launch(*kernel, {lathe::codegen::Grid{.x = blocks}}, bytes_of(args), {}).has_value());
    CHECK(std::count(counters.begin(), counters.end() - 1, 1) == static_cast<std::ptrdiff_t>(blocks));
    CHECK(counters.back() == 0);
  }
}

TEST_CASE("the entry points of a kernel run one after the other") {
  const auto executor = make_cpu_executor().value();
  // Each block of the second adds up what all blocks of the first have written.
  KernelBinary binary = cpu_binary(
      "struct Args { long* sums; };\n"
      "extern \"C\" void kernel(const Args* args, long first, long last) {\n"
      "  for (long i = first; i < last; ++i) args->sums[i] = i + 1;\n"
      "}\n"
      "extern \"C\" void second(const Args* args, long first, long last) {\n"
      "  for (long i = first; i < last; ++i)\n"
      "    for (long j = 0; j < 1000; ++j) args->sums[1000 + i] += args->sums[j];\n"
      "}\n");
  binary.entries.push_back({"second"});
  const auto kernel = executor->load(binary).value();
  std::vector<long> sums(1010);
  long* const args = sums.data();
  using lathe::codegen::Grid;
  executor->launch(*kernel, {Grid{.x = 1000}, Grid{.x = 10}}, bytes_of(args), {}).value();
  CHECK(std::count(sums.begin() + 1000, sums.end(), 500500) == 10);
  executor->launch(*kernel, {Grid{}, Grid{.x = 5}}, bytes_of(args), {}).value();
  CHECK(std::count(sums.begin() + 1000, sums.end(), 1001000) == 5);
}

TEST_CASE("kernels with the same entry's name do not see each other, and unload one by one") {
  const auto executor = make_cpu_executor().value();
  auto first = executor->load(cpu_binary(store_of(1))).value();
  const auto second = executor->load(cpu_binary(store_of(2))).value();
  int result = 0;
  int* const args = &result;
  executor->launch(*first, {lathe::codegen::Grid{.x = 1}}, bytes_of(args), {}).value();
  CHECK(result == 1);
  first.reset();
  executor->launch(*second, {lathe::codegen::Grid{.x = 1}}, bytes_of(args), {}).value();
  CHECK(result == 2);
}

TEST_CASE("several threads load, launch and unload at once") {
  const auto executor = make_cpu_executor().value();
  const KernelBinary binary = cpu_binary(kCount);
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 10; ++round) {
        const auto kernel = executor->load(binary);
        std::vector<int> counters(500);
        const CountArgs args{counters.data()};
        if (kernel &&
            executor->launch(**kernel, {lathe::codegen::Grid{.x = counters.size()}}, bytes_of(args), {}) &&
            std::count(counters.begin(), counters.end(), 1) == 500)
          ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 40);
}

TEST_CASE("a binary without object code or entry is refused") {
  const auto executor = make_cpu_executor().value();
  KernelBinary no_entry = cpu_binary(kCount);
  no_entry.entries.clear();
  KernelBinary no_object = cpu_binary(kCount);
  no_object.payloads.front().kind = PayloadKind::cubin;
  KernelBinary other_entry = cpu_binary(kCount);
  other_entry.entries = {{"missing_entry"}};
  for (const KernelBinary& binary : {no_entry, no_object, other_entry}) {
    const auto kernel = executor->load(binary);
    REQUIRE_FALSE(kernel.has_value());
    CHECK(kernel.error().code == ErrorCode::load_failed);
  }
  CHECK(executor->load(other_entry).error().log.find("missing_entry") != std::string::npos);
}

TEST_CASE("host memory is aligned, also of no bytes, and too much of it is an error with the size") {
  const auto executor = make_cpu_executor().value();
  auto& memory = executor->memory();
  for (const std::size_t bytes : {0, 1, 255, 256, 257, 1 << 20, 8 << 20, (8 << 20) + 1}) {
    void* const pointer = memory.allocate(bytes).value();
    REQUIRE(pointer != nullptr);
    CHECK(reinterpret_cast<std::uintptr_t>(pointer) % 256 == 0);
    REQUIRE(memory.fill(pointer, 0x5A, bytes, {}).has_value());
    std::vector<unsigned char> copy(bytes);
    REQUIRE(memory.copy(copy.data(), pointer, bytes, {}).has_value());
    CHECK(std::count(copy.begin(), copy.end(), 0x5A) == static_cast<std::ptrdiff_t>(bytes));
    memory.release(pointer);
  }
  for (const std::size_t bytes : {SIZE_MAX, SIZE_MAX - 255, SIZE_MAX / 2}) {
    const auto pointer = memory.allocate(bytes);
    REQUIRE_FALSE(pointer.has_value());
    CHECK(pointer.error().code == ErrorCode::out_of_memory);
    CHECK(pointer.error().message.find(std::to_string(bytes)) != std::string::npos);
  }
}

TEST_CASE("the time of work is its time, and its failure is passed on") {
  const auto executor = make_cpu_executor().value();
  const auto time = executor->time_ms({}, [] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return lathe::Result<void>{};
  });
  CHECK(time.value() >= 5.0);
  const auto failed = executor->time_ms({}, []() -> lathe::Result<void> {
    return lathe::Error{.code = ErrorCode::launch_failed, .message = "broken"};
  });
  CHECK(failed.error().message == "broken");
}

TEST_CASE("the device is this machine's processor") {
  const auto executor = make_cpu_executor().value();
  CHECK(executor->device().target == lathe::codegen::host_cpu_target());
  CHECK_FALSE(executor->device().name.empty());
  CHECK(executor->device().processors >= 1);
}

TEST_CASE("a CPU has no tensor maps") {
  const auto map = make_cpu_executor().value()->encode_tensor_map(lathe::tests::matrix_spec());
  REQUIRE_FALSE(map.has_value());
  CHECK(map.error().code == ErrorCode::unsupported);
  CHECK(map.error().message.find("a CPU has no TMA unit") != std::string::npos);
}
