// wgmma against matrix arithmetic in double: every type, layout and option.
#include <bit>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tests/runtime/ptx/wgmma_kernel.h"
#include "tests/support/catch.h"

using namespace lathe::tests;
using namespace lathe::tests::wgmma;

namespace {

Matrix run(const Form& form, const Problem& problem, std::mt19937_64& random) {
  const unsigned bits = element(form.a).bits;
  const Tile a = lay_out(problem.a, bits, form.layout_a, random);
  const Tile b = lay_out(problem.b, element(form.b).bits, form.layout_b, random);
  std::vector<std::byte> image = a.bytes;
  image.insert(image.end(), b.bytes.begin(), b.bytes.end());
  image.resize(rounded_up(static_cast<unsigned>(image.size()), 16 * kThreads));
  std::vector<std::uint32_t> registers = registers_of_d(form, problem.d);
  const std::vector<std::uint32_t> more = registers_of_a(form, problem.a);
  registers.insert(registers.end(), more.begin(), more.end());
  PtxMachine machine;
  auto* output = machine.allocate<std::uint32_t>(std::size_t{form.registers_of_d()} * kThreads);
  const std::string text = kernel_text(steps_text(form, a, b), form.registers_of_d(), form.steps * 4,
                                       a.bytes.size(), image.size());
  machine.run_ok(kThreads, text, machine.upload(image), machine.upload(registers), output);
  return matrix_of(form, output);
}

bool is_as(const Form& form, std::uint64_t bits, double wanted) {
  if (form.d == "f16" && std::isinf(wanted)) return bits == (std::signbit(wanted) ? 0xfc00 : 0x7c00);
  return element(form.d).value(bits) == wanted;
}

void check(const Form& form, std::uint64_t seed = 1) {
  CAPTURE(form.a, form.b, form.d, form.columns, form.steps, form.layout_a.span, form.layout_a.is_mn_major,
          form.layout_b.span, form.layout_b.is_mn_major, form.is_a_in_registers);
  std::mt19937_64 random(seed);
  const Problem problem = random_problem(form, random);
  const Matrix d = run(form, problem, random);
  for (unsigned row = 0; row < kRows; ++row) {
    for (unsigned column = 0; column < form.columns; ++column) {
      const mma::At at{row, column};
      const double wanted = expected(form, problem, at);
      if (is_as(form, d[at], wanted)) continue;
      FAIL(
          fmt::format("row {}, column {}: {} and not {}", row, column, element(form.d).value(d[at]), wanted));
    }
  }
  SUCCEED();
}

struct Types {
  std::string_view d;
  std::string_view a;
  std::string_view b;
};

constexpr Types kTypes[] = {
    {"f32", "f16", "f16"},   {"f16", "f16", "f16"},   {"f32", "bf16", "bf16"}, {"f32", "tf32", "tf32"},
    {"f32", "e4m3", "e4m3"}, {"f32", "e4m3", "e5m2"}, {"f32", "e5m2", "e4m3"}, {"f32", "e5m2", "e5m2"},
    {"f16", "e4m3", "e4m3"}, {"f16", "e4m3", "e5m2"}, {"f16", "e5m2", "e4m3"}, {"f16", "e5m2", "e5m2"},
    {"s32", "s8", "s8"},     {"s32", "s8", "u8"},     {"s32", "u8", "s8"},     {"s32", "u8", "u8"}};

}  // namespace

TEST_CASE("wgmma multiplies and adds in every type and many widths") {
  for (const Types& types : kTypes) {
    for (const unsigned columns : {8u, 24u, 64u, 128u, 256u})
      check({.d = types.d, .a = types.a, .b = types.b, .columns = columns}, columns);
  }
}

TEST_CASE("wgmma takes A from registers in every type") {
  for (const Types& types : kTypes) {
    check({.d = types.d, .a = types.a, .b = types.b, .columns = 8, .steps = 3, .is_a_in_registers = true});
    check({.d = types.d, .a = types.a, .b = types.b, .columns = 64, .is_a_in_registers = true});
  }
}

TEST_CASE("wgmma reads both operands in every layout along K") {
  for (const Layout& layout_a : kKMajor) {
    for (const Layout& layout_b : kKMajor) {
      check({.columns = 24, .steps = 4, .layout_a = layout_a, .layout_b = layout_b});
      check(
          {.a = "e4m3", .b = "e5m2", .columns = 16, .steps = 4, .layout_a = layout_a, .layout_b = layout_b});
    }
    check({.a = "tf32", .b = "tf32", .columns = 8, .steps = 5, .layout_a = layout_a, .layout_b = layout_a});
    check({.d = "s32",
           .a = "s8",
           .b = "u8",
           .columns = 32,
           .steps = 4,
           .layout_a = layout_a,
           .layout_b = layout_a});
  }
}

TEST_CASE("wgmma reads transposed operands in every layout") {
  for (const std::string_view type : {"f16", "bf16"}) {
    for (const Layout& transposed : kMnMajor) {
      for (const unsigned columns : {8u, 24u, 128u, 256u}) {
        Form form{.a = type, .b = type, .columns = columns, .steps = 2, .layout_b = transposed};
        check(form);
        form.is_a_in_registers = true;
        check(form);
      }
      check({.a = type, .b = type, .columns = 16, .steps = 3, .layout_a = transposed});
      for (const Layout& other : kMnMajor)
        check({.a = type, .b = type, .columns = 64, .steps = 2, .layout_a = transposed, .layout_b = other});
    }
  }
}

TEST_CASE("wgmma reads matrices whose pattern begins anywhere") {
  for (const unsigned shift : {128u, 640u}) {
    for (const unsigned span : {32u, 64u, 128u}) {
      for (const bool is_mn_major : {false, true}) {
        const Layout layout{.span = span, .is_mn_major = is_mn_major, .shift = shift};
        check({.columns = 32, .steps = 2, .layout_a = layout, .layout_b = layout});
      }
    }
  }
}

TEST_CASE("wgmma overwrites the accumulators if they are not to count") {
  for (const Types& types :
       {Types{"f32", "bf16", "bf16"}, Types{"f16", "f16", "f16"}, Types{"s32", "s8", "s8"}})
    check({.d = types.d, .a = types.a, .b = types.b, .columns = 16, .accumulates = false});
}

TEST_CASE("wgmma negates A and B") {
  for (const bool in_registers : {false, true}) {
    for (const int sign_a : {-1, 1}) {
      for (const int sign_b : {-1, 1}) {
        check({.columns = 16, .is_a_in_registers = in_registers, .sign_a = sign_a, .sign_b = sign_b});
        check({.d = "f16",
               .a = "e5m2",
               .b = "e4m3",
               .columns = 16,
               .is_a_in_registers = in_registers,
               .sign_a = sign_a,
               .sign_b = sign_b});
      }
    }
  }
}

TEST_CASE("wgmma of integers saturates if it is to") {
  for (const std::string_view modifier : {"", ".satfinite"}) {
    Form form{.d = "s32", .a = "u8", .b = "u8", .columns = 8, .steps = 1, .modifier = modifier};
    std::mt19937_64 random(3);
    Problem problem = random_problem(form, random);
    for (std::uint64_t& each : problem.d.bits) each = 0x7fff'fff0;
    const Matrix d = run(form, problem, random);
    for (unsigned i = 0; i < 8; ++i)
      CHECK(element("s32").value(d[{i, i}]) == expected(form, problem, {i, i}));
  }
}

TEST_CASE("products in one group and in groups that overlap follow each other") {
  for (const unsigned steps_per_group : {1u, 2u, 4u}) {
    for (const unsigned kept : {0u, 1u, 2u})
      check({.columns = 32, .steps = 4, .steps_per_group = steps_per_group, .kept = kept});
  }
}
