// cp.reduce.async.bulk: every operation, into global and into shared memory.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

#include "tests/runtime/ptx/async_kernel.h"

using namespace lathe::tests;

namespace {

struct Reduction {
  std::string operation;  ///< "add.u32"
  std::vector<std::byte> from;
  std::vector<std::byte> to;
  std::vector<std::byte> expected;
};

template <class T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

/// function(old, value) for values made of a pattern; 16 bytes.
template <class T, class Function>
Reduction reduction(const std::string& operation, std::vector<T> values, Function function) {
  constexpr std::size_t kCount = 16 / sizeof(T);
  std::vector<T> from(kCount);
  std::vector<T> to(kCount);
  std::vector<T> expected(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    from[i] = values[i % values.size()];
    to[i] = values[(i / values.size() + i + 1) % values.size()];
    expected[i] = function(to[i], from[i]);
  }
  return {operation, bytes_of(from), bytes_of(to), bytes_of(expected)};
}

template <class T>
T least(T a, T b) {
  return std::min(a, b);
}
template <class T>
T most(T a, T b) {
  return std::max(a, b);
}

std::vector<Reduction> shared_reductions() {
  const std::vector<std::uint32_t> u32{5, 0xFFFFFFFF, 0x80000000, 17};
  const std::vector<std::int32_t> s32{5, -7, INT32_MIN, INT32_MAX};
  const std::vector<std::uint64_t> u64{1ull << 63, ~0ull};
  return {
      reduction("add.u32", u32, [](auto a, auto b) { return a + b; }),
      reduction("add.s32", u32, [](auto a, auto b) { return a + b; }),
      reduction("add.u64", u64, [](auto a, auto b) { return a + b; }),
      reduction("min.u32", u32, least<std::uint32_t>),
      reduction("max.u32", u32, most<std::uint32_t>),
      reduction("min.s32", s32, least<std::int32_t>),
      reduction("max.s32", s32, most<std::int32_t>),
      reduction("and.b32", u32, [](auto a, auto b) { return a & b; }),
      reduction("or.b32", u32, [](auto a, auto b) { return a | b; }),
      reduction("xor.b32", u32, [](auto a, auto b) { return a ^ b; }),
      reduction("inc.u32", u32, [](auto a, auto b) { return a >= b ? 0 : a + 1; }),
      reduction("dec.u32", u32, [](auto a, auto b) { return a == 0 || a > b ? b : a - 1; }),
  };
}

std::vector<Reduction> global_reductions() {
  std::vector<Reduction> all = shared_reductions();
  const std::vector<std::uint64_t> u64{1ull << 63, 77};
  const std::vector<std::int64_t> s64{INT64_MIN, 77};
  const std::vector<float> f32{1.5F, -2.25F, 1e30F, 0.1F};
  const std::vector<double> f64{1.5, -0.1};
  // 1, 2, -0.5 and 3: their sums are exact in both formats.
  const std::vector<std::uint16_t> f16{0x3C00, 0x4000, 0xB800, 0x4200};
  const std::vector<std::uint16_t> bf16{0x3F80, 0x4000, 0xBF00, 0x4040};
  const std::vector<float> values{1.0F, 2.0F, -0.5F, 3.0F};
  const auto sum_of = [&values](const std::vector<std::uint16_t>& encoded, auto encode) {
    const auto decode = [values, encoded](std::uint16_t bits) {
      return values[static_cast<std::size_t>(std::ranges::find(encoded, bits) - encoded.begin())];
    };
    return [decode, encode](std::uint16_t a, std::uint16_t b) { return encode(decode(a) + decode(b)); };
  };
  const auto to_bf16 = [](float value) {
    return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
  };
  const auto to_f16 = [](float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return static_cast<std::uint16_t>((bits >> 16 & 0x8000) | (((bits >> 23 & 0xFF) - 112) << 10) |
                                      (bits >> 13 & 0x3FF));
  };
  all.push_back(reduction("min.u64", u64, least<std::uint64_t>));
  all.push_back(reduction("max.u64", u64, most<std::uint64_t>));
  all.push_back(reduction("min.s64", s64, least<std::int64_t>));
  all.push_back(reduction("max.s64", s64, most<std::int64_t>));
  all.push_back(reduction("and.b64", u64, [](auto a, auto b) { return a & b; }));
  all.push_back(reduction("or.b64", u64, [](auto a, auto b) { return a | b; }));
  all.push_back(reduction("xor.b64", u64, [](auto a, auto b) { return a ^ b; }));
  all.push_back(reduction("add.f32", f32, [](auto a, auto b) { return a + b; }));
  all.push_back(reduction("add.f64", f64, [](auto a, auto b) { return a + b; }));
  all.push_back(reduction("add.noftz.f16", f16, sum_of(f16, to_f16)));
  all.push_back(reduction("add.noftz.bf16", bf16, sum_of(bf16, to_bf16)));
  return all;
}

/// Puts the 16 bytes at `from` into shared memory, and has thread 0 reduce them into [%to].
std::string global_body(const std::string& operation) {
  return fmt::format(R"(
  @!%leader ret;
  ld.global.v4.b32 {{%r0, %r1, %r2, %r3}}, [%from];
  st.shared.v4.b32 [buffer], {{%r0, %r1, %r2, %r3}};
  fence.proxy.async;
  cp.reduce.async.bulk.global.shared::cta.bulk_group.{} [%to], [buffer], 16;
  cp.async.bulk.commit_group;
  cp.async.bulk.wait_group 0;
)",
                     operation);
}

/// The same into shared memory, whose result goes back to [%to].
std::string shared_body(const std::string& operation) {
  return init_bars({1}) +
         fmt::format(R"(
  @!%leader ret;
  ld.global.v4.b32 {{%r0, %r1, %r2, %r3}}, [%from];
  st.shared.v4.b32 [buffer], {{%r0, %r1, %r2, %r3}};
  ld.global.v4.b32 {{%r0, %r1, %r2, %r3}}, [%to];
  st.shared.v4.b32 [buffer+16], {{%r0, %r1, %r2, %r3}};
  fence.proxy.async;
  mbarrier.arrive.expect_tx.shared.b64 _, [bars], 16;
  cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.{} [buffer+16], [buffer], 16, [bars];
)",
                     operation) +
         wait_for("bars", "0") + R"(
  ld.shared.v4.b32 {%r0, %r1, %r2, %r3}, [buffer+16];
  st.global.v4.b32 [%to], {%r0, %r1, %r2, %r3};
)";
}

void check(const Reduction& reduction, const std::string& body) {
  INFO(body);
  AsyncMachine machine({}, 0, 4);
  machine.source = reinterpret_cast<std::uint32_t*>(machine.upload(reduction.from));
  machine.result = reinterpret_cast<std::uint32_t*>(machine.upload(reduction.to));
  REQUIRE(machine.run_with(async_kernel(body)) == "");
  CHECK(std::memcmp(machine.result, reduction.expected.data(), 16) == 0);
}

}  // namespace

TEST_CASE("bulk reductions into global memory") {
  for (const Reduction& each : global_reductions()) check(each, global_body(each.operation));
}

TEST_CASE("bulk reductions into shared memory") {
  for (const Reduction& each : shared_reductions()) check(each, shared_body(each.operation));
}

TEST_CASE("blocks add to the same global memory") {
  const std::string body = R"(
  mov.u32 %r0, 1;
  shl.b32 %r1, %lane, 2;
  add.u32 %r1, %r1, %buffer;
  st.shared.u32 [%r1], %r0;
  fence.proxy.async.shared::cta;
  bar.warp.sync 0xffffffff;
  @!%elected ret;
  cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32 [%to], [buffer], 128;
  cp.async.bulk.commit_group;
  cp.async.bulk.wait_group.read 0;
)";
  for_each_async_run(body, {.blocks = 16}, [](const std::string& error, AsyncMachine& machine) {
    REQUIRE(error == "");
    for (unsigned i = 0; i < 32; ++i) CHECK(machine.result[i] == 16);
  });
}
