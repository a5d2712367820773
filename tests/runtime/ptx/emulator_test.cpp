// The emulator as an Executor: what the driver would refuse, it refuses too.
#include "runtime/ptx/emulator.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "runtime/ptx/tensor_map.h"
#include "tests/support/catch.h"
#include "tests/support/ptx_machine.h"
#include "tests/support/tensor_map_spec.h"

using namespace lathe;
using lathe::runtime::EmulatorSettings;
using lathe::runtime::Executor;
using lathe::runtime::make_emulator;
using lathe::tests::packed_parameters;
using lathe::tests::ptx_kernel;

namespace {

codegen::KernelBinary binary_of(const std::string& ptx, codegen::LaunchFacts facts = {.block = {32, 1, 1}}) {
  const auto* begin = reinterpret_cast<const std::byte*>(ptx.data());
  codegen::KernelBinary binary;
  binary.payloads = {{codegen::PayloadKind::ptx, {begin, begin + ptx.size()}}};
  binary.entries = {{"kernel", facts}};
  return binary;
}

/// Each thread adds 1 to its number.
std::string increment() {
  return ptx_kernel(1, R"(
    mad.wide.u32 %l1, %r0, 4, %l0;
    ld.global.u32 %r1, [%l1];
    add.u32 %r1, %r1, 1;
    st.global.u32 [%l1], %r1;)");
}

std::string message_of(const Result<void>& result) {
  return result ? "" : result.error().message;
}

}  // namespace

TEST_CASE("what the host copies, a kernel changes and the host reads") {
  const auto emulator = make_emulator({.arch = "sm_80"});
  CHECK(emulator->device().target.text() == "emulate:sm_80");
  CHECK(emulator->device().processors > 0);
  const auto kernel = emulator->load(binary_of(increment())).value();
  std::vector<std::uint32_t> values(32, 41);
  void* memory = emulator->memory().allocate(128).value();
  REQUIRE(emulator->memory().copy(memory, values.data(), 128, {}));
  REQUIRE(emulator->launch(*kernel, {codegen::Grid{1, 1, 1}}, packed_parameters(memory), {}));
  REQUIRE(emulator->synchronize({}));
  REQUIRE(emulator->memory().copy(values.data(), memory, 128, {}));
  CHECK(values == std::vector<std::uint32_t>(32, 42));
  REQUIRE(emulator->memory().fill(memory, 0, 128, {}));
  const auto time = emulator->time_ms(
      {}, [&] { return emulator->launch(*kernel, {codegen::Grid{1, 1, 1}}, packed_parameters(memory), {}); });
  CHECK(time.value() >= 0);
  REQUIRE(emulator->memory().copy(values.data(), memory, 128, {}));
  CHECK(values == std::vector<std::uint32_t>(32, 1));
  emulator->memory().release(memory);
}

TEST_CASE("a fault is the launch's error, and the device goes on") {
  const auto emulator = make_emulator({});
  const auto kernel = emulator->load(binary_of(increment())).value();
  void* memory = emulator->memory().allocate(100).value();
  REQUIRE(emulator->memory().fill(memory, 0, 100, {}));
  const auto failed = emulator->launch(*kernel, {codegen::Grid{1, 1, 1}}, packed_parameters(memory), {});
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().code == ErrorCode::launch_failed);
  CHECK(failed.error().message.find("kernel: access out of bounds") == 0);
  CHECK(failed.error().message.find("thread (25, 0, 0)") != std::string::npos);
  emulator->memory().release(memory);
  memory = emulator->memory().allocate(128).value();
  REQUIRE(emulator->memory().fill(memory, 0, 128, {}));
  CHECK(emulator->launch(*kernel, {codegen::Grid{1, 1, 1}}, packed_parameters(memory), {}).has_value());
  emulator->memory().release(memory);
}

TEST_CASE("binaries that are not PTX, or not the emulator's") {
  const auto emulator = make_emulator({});
  codegen::KernelBinary none = binary_of(increment());
  none.payloads[0].kind = codegen::PayloadKind::cubin;
  CHECK(emulator->load(none).error().message.find("the binary has no PTX") == 0);
  codegen::KernelBinary other = binary_of(increment());
  other.entries = {{"other"}};
  CHECK(emulator->load(other).error().message == "the PTX has no entry other");
  const auto unknown = emulator->load(binary_of(ptx_kernel(0, "tcgen05.alloc %r1;")));
  REQUIRE_FALSE(unknown.has_value());
  CHECK(unknown.error().code == ErrorCode::load_failed);
  CHECK(unknown.error().message == "PTX line 8: the instruction is not known in `tcgen05.alloc %r1`");
}

TEST_CASE("launches that the driver would refuse") {
  const auto emulator = make_emulator({});
  const auto launch = [&](const codegen::LaunchFacts& facts, const codegen::Grid& grid, std::size_t bytes) {
    const auto kernel = emulator->load(binary_of(ptx_kernel(1, ""), facts)).value();
    return message_of(emulator->launch(*kernel, {grid}, std::vector<std::byte>(bytes), {}));
  };
  CHECK(launch({.block = {32, 1, 1}}, {1, 1, 1}, 8).empty());
  CHECK(launch({.block = {32, 1, 1}}, {0, 1, 1}, 8).empty());
  CHECK(launch({.block = {1025, 1, 1}}, {1, 1, 1}, 8) ==
        "kernel: the block has 1025 threads, the kernel allows 1 to 1024");
  CHECK(launch({.block = {32, 1, 1}, .cluster = {2, 1, 1}}, {3, 1, 1}, 8) ==
        "kernel: a grid of 3 x 1 x 1 blocks cannot be made of clusters of 2 x 1 x 1");
  CHECK(launch({.block = {32, 1, 1}}, {1, 65536, 1}, 8).find("beyond 2^31 - 1 x 65535 x 65535") !=
        std::string::npos);
  CHECK(launch({.block = {32, 1, 1}}, {1, 1, 1}, 4) ==
        "kernel: the kernel takes 8 bytes of parameters, it is given 4");
}

TEST_CASE("a block gets no more shared memory than the architecture has") {
  const auto launch = [](const char* arch, unsigned dynamic, const std::string& body) {
    const auto emulator = make_emulator({.arch = arch});
    const auto kernel =
        emulator->load(binary_of(ptx_kernel(1, body), {.block = {32, 1, 1}, .dynamic_shared_bytes = dynamic}))
            .value();
    return message_of(emulator->launch(*kernel, {codegen::Grid{1, 1, 1}}, std::vector<std::byte>(8), {}));
  };
  CHECK(launch("sm_86", 101376, "").empty());
  CHECK(
      launch("sm_86", 101377, "") ==
      "kernel: needs 101377 bytes of dynamic and 0 of static shared memory per block, and sm_86 has 101376");
  CHECK(launch("sm_90a", 101377, "").empty());
  CHECK(
      launch("sm_90a", 232448, ".shared .align 4 .b8 fixed[8];") ==
      "kernel: needs 232448 bytes of dynamic and 8 of static shared memory per block, and sm_90a has 232448");
}

TEST_CASE("variables of a module keep their values between launches") {
  const auto emulator = make_emulator({});
  const auto kernel = emulator
                          ->load(binary_of(ptx_kernel(1, R"(
    atom.global.add.u32 %r1, [count], 1;
    st.global.u32 [%l0], %r1;)",
                                                      ".global .u32 count = 5;\n"),
                                           {.block = {1, 1, 1}}))
                          .value();
  void* memory = emulator->memory().allocate(4).value();
  std::uint32_t seen = 0;
  for (const std::uint32_t expected : {5U, 6U}) {
    REQUIRE(emulator->launch(*kernel, {codegen::Grid{1, 1, 1}}, packed_parameters(memory), {}));
    REQUIRE(emulator->memory().copy(&seen, memory, 4, {}));
    CHECK(seen == expected);
  }
  emulator->memory().release(memory);
}

TEST_CASE("checks can be left out") {
  const std::string reads_undefined = ptx_kernel(0, ".shared .u32 s;\nld.shared.u32 %r1, [s];");
  for (const bool checked : {false, true}) {
    const auto emulator = make_emulator({.checks = {.definedness = checked, .races = checked}});
    const auto kernel = emulator->load(binary_of(reads_undefined)).value();
    CHECK(emulator->launch(*kernel, {codegen::Grid{1, 1, 1}}, {}, {}).has_value() != checked);
  }
}

TEST_CASE("memory that cannot be had is an error with its size") {
  const auto emulator = make_emulator({});
  const auto much = emulator->memory().allocate(SIZE_MAX / 2);
  REQUIRE_FALSE(much.has_value());
  CHECK(much.error().code == ErrorCode::out_of_memory);
  CHECK(much.error().message.find(std::to_string(SIZE_MAX / 2)) != std::string::npos);
}

TEST_CASE("a tensor map is one that the emulator's kernels understand") {
  const auto map = make_emulator({})->encode_tensor_map(lathe::tests::matrix_spec());
  REQUIRE(map.has_value());
  CHECK(runtime::ptx::decode_tensor_map(map->bytes).has_value());
}

TEST_CASE("a tensor map with rows in two allocations") {
  const auto checked = GENERATE(false, true);
  const auto emulator = make_emulator({.checks = {.definedness = checked, .races = checked}});
  const auto kernel = emulator
                          ->load(binary_of(R"(.version 8.7
.target sm_90a
.address_size 64
.visible .entry kernel(.param .align 64 .b8 map[128])
{
  .shared .align 128 .b8 box[256];
  .shared .align 8 .b8 bar[8];
  .reg .b64 %map;
  mov.b64 %map, map;
  cvta.param.u64 %map, %map;
  mbarrier.init.shared.b64 [bar], 1;
  cp.async.bulk.tensor.2d.shared::cta.global.tile.mbarrier::complete_tx::bytes [box], [%map, {0, 0}], [bar];
  ret;
})",
                                           {.block = {1, 1, 1}}))
                          .value();
  const auto allocate = [&] {
    void* memory = emulator->memory().allocate(128).value();
    REQUIRE(emulator->memory().fill(memory, 0, 128, {}));
    return static_cast<std::byte*>(memory);
  };
  std::byte* a = allocate();
  std::byte* b = allocate();
  if (a > b) std::swap(a, b);
  const auto map = emulator->encode_tensor_map({.address = a,
                                                .dtype = f32,
                                                .rank = 2,
                                                .extents = {32, 2},
                                                .strides = {0, static_cast<std::uint64_t>(b - a)},
                                                .box = {32, 2}});
  REQUIRE(map.has_value());
  CHECK(message_of(emulator->launch(*kernel, {codegen::Grid{1, 1, 1}}, map->bytes, {}))
            .find("the tensor map reaches into another allocation") != std::string::npos);
  emulator->memory().release(a);
  emulator->memory().release(b);
}

TEST_CASE("a report names the template's line, and where an inlined function was called") {
  const auto emulator = make_emulator({});
  const auto report = [&](const std::string& location) {
    const std::string files =
        ".file 1 \"/lathe-templates/cuda/norm.cu\"\n.file 2 \"/lathe-templates/cuda/pack.cuh\"\n"
        ".file 3 \"/home/own.cu\"\n";
    const auto kernel =
        emulator
            ->load(binary_of(ptx_kernel(0, location + "\nmov.u64 %l1, 0; ld.global.u32 %r1, [%l1];") + files))
            .value();
    return message_of(emulator->launch(*kernel, {codegen::Grid{1, 1, 1}}, {}, {}));
  };
  CHECK(report(".loc 1 57 3").ends_with("PTX line 9, cuda/norm.cu:57"));
  CHECK(report(".loc 2 31 9, function_name $L__info_string0, inlined_at 1 60 5")
            .ends_with("PTX line 9, cuda/pack.cuh:31 inlined at cuda/norm.cu:60"));
  CHECK(report(".loc 3 4 1").ends_with("PTX line 9, /home/own.cu:4"));
  CHECK(report("").ends_with("PTX line 9"));
}
