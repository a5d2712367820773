// Accesses of whole warps side by side are done at once: with the same results and reports as lane by lane.
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "tests/support/catch.h"
#include "tests/support/ptx_machine.h"

using namespace lathe::tests;
using lathe::runtime::ptx::Checks;

namespace {

/// What is looked for beside bounds: with races, accesses go by lane.
Checks any_checks() {
  return GENERATE(values<Checks>({{.definedness = false, .races = false},
                                  {.definedness = true, .races = false},
                                  {.definedness = true, .races = true}}));
}

std::vector<std::uint8_t> numbered_bytes(std::size_t count) {
  std::vector<std::uint8_t> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  return bytes;
}

struct Form {
  const char* type;
  const char* registers;  ///< `{}` of the vector
  unsigned bytes;         ///< of a lane
};

/// Each lane copies what is `stride` times its number from the beginning, through shared memory.
std::string copies(const Form& form, const std::string& space, int stride, unsigned first) {
  return ptx_kernel(2, fmt::format(R"(
    .shared .align 32 .b8 all[4096];
    mad.lo.s32 %r1, %r0, {0}, {1};
    cvt.s64.s32 %l2, %r1;
    add.s64 %l3, %l0, %l2;
    ld.global.{2} {3}, [%l3];
    mov.u64 %l8, all;
    {4}
    add.s64 %l8, %l8, %l2;
    st{5}.{2} [%l8], {3};
    bar.sync 0;
    ld{5}.{2} {3}, [%l8];
    add.s64 %l4, %l1, %l2;
    st.global.{2} [%l4], {3};)",
                                   stride * static_cast<int>(form.bytes), first, form.type, form.registers,
                                   space.empty() ? "cvta.shared.u64 %l8, %l8;" : "", space));
}

}  // namespace

TEST_CASE("elements of every size and number, in order, reversed and apart, of whole warps and parts") {
  const Checks checks = any_checks();
  const Form form = GENERATE(values<Form>({{"u8", "%h1", 1},
                                           {"u8", "%r20", 1},
                                           {"v4.u8", "{%h1, %h2, %h3, %h4}", 4},
                                           {"b16", "%h1", 2},
                                           {"s16", "%r20", 2},
                                           {"v2.b16", "{%h1, %h2}", 4},
                                           {"f32", "%f1", 4},
                                           {"u32", "%l20", 4},
                                           {"v2.f32", "{%f1, %f2}", 8},
                                           {"v4.f32", "{%f1, %f2, %f3, %f4}", 16},
                                           {"v8.b32", "{%f1,%f2,%f3,%f4,%f5,%f6,%f7,%f8}", 32},
                                           {"u64", "%l20", 8},
                                           {"v2.u64", "{%l20, %l21}", 16},
                                           {"v4.b64", "{%l20, %l21, %l22, %l23}", 32}}));
  const std::string space = GENERATE("", ".shared");
  for (const int stride : {1, -1, 2}) {
    for (const unsigned threads : {32U, 20U, 64U}) {
      INFO(form.type << " by " << form.registers << " and ld" << space << ", stride " << stride << ", "
                     << threads << " threads");
      const unsigned first = stride < 0 ? (threads - 1) * form.bytes : 0;
      const std::size_t size = std::size_t{threads} * form.bytes * 2;
      if (size > 4096) continue;
      PtxMachine machine;
      machine.checks = checks;
      const auto bytes = numbered_bytes(size);
      auto* from = machine.upload(bytes);
      auto* to = machine.upload(std::vector<std::uint8_t>(size));
      machine.run_ok(threads, copies(form, space, stride, first), from, to);
      std::vector<std::uint8_t> expected(size);
      for (std::size_t lane = 0; lane < threads; ++lane) {
        for (std::size_t i = 0; i < form.bytes; ++i) {
          const std::size_t at = lane * form.bytes * (stride == 2 ? 2 : 1) + i;
          expected[at] = bytes[at];
        }
      }
      CHECK(std::vector(to, to + size) == expected);
    }
  }
}

TEST_CASE("what is wrong with one lane of a run is reported of that lane") {
  PtxMachine machine;
  machine.checks = any_checks();
  const auto load = [](const std::string& what) {
    return ptx_kernel(1, "mad.wide.u32 %l1, %r0, 4, %l0;\n" + what);
  };
  const auto fault = [&](const std::string& text, const void* memory) {
    return machine.run_fault(32, text, memory);
  };
  auto* data = machine.upload(std::vector<std::uint32_t>(31, 5));
  CHECK(fault(load("ld.global.u32 %r1, [%l1];"), data).find("reads 4 bytes") != std::string::npos);
  CHECK(fault(load("ld.global.u32 %r1, [%l1];"), data).find("thread (31, 0, 0)") != std::string::npos);
  CHECK(fault(load("ld.global.u32 %r1, [%l1+-8];"), data).find("thread (0, 0, 0)") != std::string::npos);
  CHECK(fault(load("st.global.u32 [%l1+4], %r0;"), data).find("thread (30, 0, 0)") != std::string::npos);
  CHECK(fault(load("ld.global.u32 %r1, [%l1+2];"), data).find("misaligned access") != std::string::npos);
  CHECK(std::vector(data, data + 31) == std::vector<std::uint32_t>(31, 5));
  const std::string constant = "mov.u64 %l2, table; mad.wide.u32 %l1, %r0, 4, %l2;\n";
  CHECK(
      machine.run_fault(32, ptx_kernel(0, constant + "st.global.u32 [%l1], %r0;", ".const .u32 table[32];\n"))
          .find("store to constant memory: writes table") != std::string::npos);
  const std::string shared = ".shared .b32 s[31]; mov.u32 %r2, s; mad.lo.u32 %r2, %r0, 4, %r2;\n";
  CHECK(machine.run_fault(32, ptx_kernel(0, shared + "st.shared.u32 [%r2], %r0;"))
            .find("offset 124 of the block's 124 bytes") != std::string::npos);
}

TEST_CASE("one lane's undefined value or memory is found in a run") {
  PtxMachine machine;
  machine.checks.races = GENERATE(false, true);
  const std::string address = "mad.wide.u32 %l1, %r0, 4, %l0;\n";
  const std::string undefined_in_9 = "setp.ne.u32 %p0, %r0, 9;\n@%p0 mov.u32 %r1, 1;\n";
  auto* data = machine.allocate<std::uint32_t>(32);
  machine.run_ok(32, ptx_kernel(1, address + "setp.ne.u32 %p0, %r0, 9;\n@%p0 st.global.u32 [%l1], %r0;"),
                 data);
  CHECK(machine.run_fault(32, ptx_kernel(1, address + "ld.global.u32 %r1, [%l1];"), data)
            .find("that nobody wrote, 36 bytes from its beginning at block (0, 0, 0), thread (9, 0, 0)") !=
        std::string::npos);
  CHECK(machine.run_fault(32, ptx_kernel(1, address + undefined_in_9 + "st.global.u32 [%l1], %r1;"), data)
            .find("it is stored to global memory at block (0, 0, 0), thread (9, 0, 0)") != std::string::npos);
  CHECK(machine
            .run_fault(
                32,
                ptx_kernel(0, "mov.u64 %l0, table; " + address + undefined_in_9 + "st.global.u32 [%l1], %r1;",
                           ".global .u32 table[32];\n"))
            .find("thread (9, 0, 0)") != std::string::npos);
  CHECK(machine
            .run_fault(
                32, ptx_kernel(0, ".shared .b32 s[32]; mov.u32 %r2, s; mad.lo.u32 %r2, %r0, 4, %r2;\n" +
                                      undefined_in_9 + "st.shared.u32 [%r2], %r1; ld.shared.u32 %r3, [%r2];"))
            .find("4 bytes of shared memory that nobody wrote, 36 bytes") != std::string::npos);
  CHECK(machine.run_fault(32, ptx_kernel(1, "@%p1 mov.u64 %l1, %l0;\nld.global.u32 %r1, [%l1];"), data)
            .find("use of a value that was never written") != std::string::npos);
}

TEST_CASE("without checks of values, what one launch writes another reads") {
  PtxMachine machine;
  machine.checks = {.definedness = false, .races = false};
  auto* data = machine.allocate<std::uint32_t>(32);
  const std::string address = "mad.wide.u32 %l1, %r0, 4, %l0;\n";
  machine.run_ok(32, ptx_kernel(1, address + "st.global.u32 [%l1], %r0;"), data);
  machine.run_ok(32,
                 ptx_kernel(1, address + "ld.global.u32 %r1, [%l1]; add.u32 %r1, %r1, 1;\n"
                                         "st.global.u32 [%l1], %r1;"),
                 data);
  std::vector<std::uint32_t> expected(32);
  std::iota(expected.begin(), expected.end(), 1U);
  CHECK(std::vector(data, data + 32) == expected);
}
