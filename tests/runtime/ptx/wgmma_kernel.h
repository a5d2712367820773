// Kernels of wgmma for tests, and what they are to compute.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tests/runtime/ptx/mma_reference.h"
#include "tests/runtime/ptx/wgmma_layouts.h"
#include "tests/support/ptx_machine.h"

namespace lathe::tests::wgmma {

using mma::element;
using mma::Matrix;

constexpr unsigned kThreads = 128;
constexpr unsigned kRows = 64;

/// D = sign_a A * sign_b B, added to what was there if `accumulates`, in so many instructions along K.
struct Form {
  std::string_view d = "f32";
  std::string_view a = "bf16";
  std::string_view b = "bf16";
  unsigned columns = 64;
  unsigned steps = 2;
  Layout layout_a{};
  Layout layout_b{};
  bool is_a_in_registers = false;
  int sign_a = 1;
  int sign_b = 1;
  bool accumulates = true;
  std::string_view modifier = "";
  unsigned steps_per_group = 4;
  unsigned kept = 0;  ///< groups in flight while others are issued

  unsigned depth() const { return 256 / element(a).bits; }
  unsigned registers_of_d() const { return columns * element(d).bits / 64; }
};

struct Problem {
  Matrix a;  ///< 64 x K
  Matrix b;  ///< N x K: a row for each column of B
  Matrix d;  ///< 64 x N, bits
};

inline Problem random_problem(const Form& form, std::mt19937_64& random) {
  const unsigned depth = form.steps * form.depth();
  return {.a = mma::random_matrix(kRows, depth, element(form.a), random),
          .b = mma::random_matrix(form.columns, depth, element(form.b), random),
          .d = mma::random_matrix(kRows, form.columns, element(form.d), random)};
}

// ---- registers, as the fragments' drawings have them

/// Element i of a thread's part of D.
inline mma::At place_in_d(unsigned thread, unsigned i) {
  const unsigned lane = thread % 32;
  return {thread / 32 * 16 + lane / 4 + 8 * (i >> 1 & 1), i / 4 * 8 + lane % 4 * 2 + (i & 1)};
}

/// Element e of register i of a thread's part of A; `per_register` elements share one.
inline mma::At place_in_a(unsigned thread, unsigned i, unsigned e, unsigned per_register) {
  const unsigned lane = thread % 32;
  return {thread / 32 * 16 + lane / 4 + 8 * (i & 1), (lane % 4 + 4 * (i >> 1)) * per_register + e};
}

inline std::vector<std::uint32_t> registers_of_d(const Form& form, const Matrix& d) {
  const unsigned bits = element(form.d).bits;
  const unsigned per_register = 32 / bits;
  std::vector<std::uint32_t> registers(std::size_t{form.registers_of_d()} * kThreads);
  for (unsigned i = 0; i < form.registers_of_d() * per_register; ++i) {
    for (unsigned thread = 0; thread < kThreads; ++thread)
      registers[std::size_t{i / per_register} * kThreads + thread] |=
          static_cast<std::uint32_t>(d[place_in_d(thread, i)] << (i % per_register * bits));
  }
  return registers;
}

inline Matrix matrix_of(const Form& form, const std::uint32_t* registers) {
  const unsigned bits = element(form.d).bits;
  const unsigned per_register = 32 / bits;
  Matrix d{kRows, form.columns, std::vector<std::uint64_t>(std::size_t{kRows} * form.columns)};
  for (unsigned i = 0; i < form.registers_of_d() * per_register; ++i) {
    for (unsigned thread = 0; thread < kThreads; ++thread) {
      const std::uint32_t value = registers[std::size_t{i / per_register} * kThreads + thread];
      d[place_in_d(thread, i)] = bits == 32 ? value : value >> (i % per_register * bits) & 0xffff;
    }
  }
  return d;
}

/// Four for each step.
inline std::vector<std::uint32_t> registers_of_a(const Form& form, const Matrix& a) {
  const unsigned bits = element(form.a).bits;
  std::vector<std::uint32_t> registers;
  for (unsigned step = 0; step < form.steps; ++step) {
    for (unsigned i = 0; i < 4; ++i) {
      for (unsigned thread = 0; thread < kThreads; ++thread) {
        std::uint32_t value = 0;
        for (unsigned e = 0; e < 32 / bits; ++e) {
          const mma::At at = place_in_a(thread, i, e, 32 / bits);
          value |= static_cast<std::uint32_t>(a[{at.row, step * form.depth() + at.column}] << (e * bits));
        }
        registers.push_back(value);
      }
    }
  }
  return registers;
}

// ---- what is expected

inline double rounded_to_half(double value) {
  if (value == 0) return value;
  if (std::fabs(value) >= 65520) return std::copysign(std::numeric_limits<double>::infinity(), value);
  const double quantum = std::ldexp(1.0, std::max(std::ilogb(value) - 10, -24));
  return std::nearbyint(value / quantum) * quantum;
}

inline double rounded(const Form& form, double exact) {
  if (form.d == "f16") return rounded_to_half(exact);
  if (form.d == "f32") return double{static_cast<float>(exact)};
  if (form.modifier == ".satfinite") return std::min(std::max(exact, -2147483648.0), 2147483647.0);
  return double(static_cast<std::int32_t>(static_cast<std::int64_t>(exact)));
}

/// Rounded once for each instruction.
inline double expected(const Form& form, const Problem& problem, mma::At at) {
  double sum = form.accumulates ? element(form.d).value(problem.d[at]) : 0;
  for (unsigned step = 0; step < form.steps; ++step) {
    for (unsigned k = step * form.depth(); k < (step + 1) * form.depth(); ++k)
      sum += form.sign_a * form.sign_b * element(form.a).value(problem.a[{at.row, k}]) *
             element(form.b).value(problem.b[{at.column, k}]);
    sum = rounded(form, sum);
  }
  return sum;
}

// ---- kernels

inline std::string vector_of(std::string_view name, unsigned first, unsigned count) {
  std::string text = "{";
  for (unsigned i = 0; i < count; ++i) text += fmt::format("{}{}{}", i == 0 ? "" : ", ", name, first + i);
  return text + "}";
}

/// One wgmma; its descriptors are in l0 and l1, its predicate is p.
inline std::string product_text(const Form& form, unsigned step) {
  const std::string a = form.is_a_in_registers ? vector_of("a", step * 4, 4) : "l0";
  std::string text =
      fmt::format("  wgmma.mma_async.sync.aligned.m64n{}k{}{}.{}.{}.{} {}, {}, l1, {}", form.columns,
                  form.depth(), form.modifier, form.d, form.a, form.b,
                  vector_of("d", 0, form.registers_of_d()), a, step == 0 && !form.accumulates ? "0" : "p");
  if (form.d != "s32") text += fmt::format(", {}, {}", form.sign_a, form.sign_b);
  if (form.a == "f16" || form.a == "bf16") {
    if (!form.is_a_in_registers) text += fmt::format(", {:d}", form.layout_a.is_mn_major);
    text += fmt::format(", {:d}", form.layout_b.is_mn_major);
  }
  return text + ";\n";
}

/// The steps in groups, of which at most `kept` are not waited for before the next is issued.
inline std::string steps_text(const Form& form, const Tile& a, const Tile& b) {
  std::string text = "  wgmma.fence.sync.aligned;\n";
  for (unsigned step = 0; step < form.steps; ++step) {
    if (!form.is_a_in_registers) text += fmt::format("  add.u64 l0, base_a, {:#x};\n", a.descriptors[step]);
    text += fmt::format("  add.u64 l1, base_b, {:#x};\n", b.descriptors[step]) + product_text(form, step);
    if ((step + 1) % form.steps_per_group != 0 && step + 1 != form.steps) continue;
    text +=
        fmt::format("  wgmma.commit_group.sync.aligned;\n  wgmma.wait_group.sync.aligned {};\n", form.kept);
  }
  return text + (form.kept != 0 ? "  wgmma.wait_group.sync.aligned 0;\n" : "");
}

/// Copies the image into shared memory and the registers from global memory, does the body, stores d.
/// Registers: `thread`; d0, d1 ..., a0, a1 ...; base_a and base_b, to be added to descriptors; predicate p,
/// true; for steps in between q, r0 to r7, l0 to l7.
inline std::string kernel_text(std::string_view body, unsigned registers_of_d, unsigned registers_of_a,
                               std::size_t bytes_of_a, std::size_t bytes) {
  std::string loads;
  std::string stores;
  for (unsigned i = 0; i < registers_of_d; ++i) {
    loads += fmt::format("  ld.global.b32 d{}, [from+{}];\n", i, i * 4 * kThreads);
    stores += fmt::format("  st.global.b32 [to+{}], d{};\n", i * 4 * kThreads, i);
  }
  for (unsigned i = 0; i < registers_of_a; ++i)
    loads += fmt::format("  ld.global.b32 a{}, [from+{}];\n", i, (registers_of_d + i) * 4 * kThreads);
  return fmt::format(R"(.version 9.0
.target sm_90a
.address_size 64
.visible .entry kernel(.param .u64 image, .param .u64 registers, .param .u64 output)
{{
  .reg .b32 thread, row, r<8>, d<{0}>, a<{1}>;
  .reg .b64 from, to, base_a, base_b, l<8>;
  .reg .pred p, q;
  .shared .align 1024 .b8 tile[{2}];
  mov.u32 thread, %tid.x;
  mul.lo.u32 row, thread, 16;
  ld.param.u64 from, [image];
  mad.wide.u32 from, thread, 16, from;
copy:
  ld.global.v4.b32 {{r0, r1, r2, r3}}, [from];
  mov.u32 r4, tile;
  add.u32 r4, r4, row;
  st.shared.v4.b32 [r4], {{r0, r1, r2, r3}};
  add.u32 row, row, {5};
  add.u64 from, from, {5};
  setp.lt.u32 q, row, {2};
  @q bra copy;
  fence.proxy.async.shared::cta;
  bar.sync 0;
  mov.u32 r4, tile;
  shr.u32 r4, r4, 4;
  cvt.u64.u32 base_a, r4;
  add.u64 base_b, base_a, {3};
  setp.eq.u32 p, r4, r4;
  ld.param.u64 from, [registers];
  mad.wide.u32 from, thread, 4, from;
  ld.param.u64 to, [output];
  mad.wide.u32 to, thread, 4, to;
{4}{6}{7}  ret;
}}
)",
                     registers_of_d + 1, registers_of_a + 1, bytes, bytes_of_a / 16, loads, 16 * kThreads,
                     body, stores);
}

}  // namespace lathe::tests::wgmma
