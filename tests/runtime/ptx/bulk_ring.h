// A ring of stages that one warp fills by bulk copies and others read, for tests: right, or with a mistake in
// it.
#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>

#include "tests/runtime/ptx/async_kernel.h"

namespace lathe::tests {

constexpr unsigned kStageBytes = 512;

struct Ring {
  unsigned stages = 2;
  unsigned rounds = 1;     ///< stages filled in all
  unsigned consumers = 1;  ///< warps behind warp 0, the producer

  // What to leave out, or to do wrong.
  bool waits_until_full = true;
  bool waits_until_empty = true;
  bool expects_bytes = true;
  bool releases = true;
  unsigned expected_bytes = kStageBytes;
  unsigned first_parity = 0;  ///< of the consumers

  unsigned threads() const { return 32 * (1 + consumers); }
};

/// How stage %r2 is filled with what is at %l1: `[to], [from], bytes, [full]` are %r4, %l1, 512, %r5.
constexpr std::string_view kPlainLoad =
    "  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r4], [%l1], 512, [%r5];\n";

/// Stage i is copied to the 512 bytes of the result that it came from in the source, by consumer i modulo
/// consumers.
inline std::string ring_body(const Ring& ring, std::string_view load = kPlainLoad) {
  std::string bars;
  for (unsigned i = 0; i < ring.stages; ++i)
    bars += fmt::format("  @%leader mbarrier.init.shared.b64 [bars+{}], 1;\n", i * 8);
  for (unsigned i = 0; i < ring.stages; ++i)
    bars += fmt::format("  @%leader mbarrier.init.shared.b64 [bars+{}], {};\n", (ring.stages + i) * 8,
                        ring.consumers);
  const std::string expect =
      ring.expects_bytes
          ? fmt::format("  mbarrier.arrive.expect_tx.shared.b64 _, [%r5], {};\n", ring.expected_bytes)
          : "  mbarrier.arrive.shared.b64 _, [%r5];\n";
  const std::string next = fmt::format(R"(
  add.u32 %r1, %r1, 1;
  add.u32 %r2, %r2, 1;
  setp.eq.u32 %p1, %r2, {0};
  @%p1 mov.u32 %r2, 0;
  @%p1 xor.b32 %r3, %r3, 1;
  setp.lt.u32 %p2, %r1, {1};
)",
                                       ring.stages, ring.rounds);
  // %r1: round, %r2: stage, %r3: parity of its use, %r4: its bytes, %r5 full, %r6 empty
  const std::string places = fmt::format(R"(
  mad.lo.u32 %r4, %r2, {0}, %buffer;
  mad.lo.u32 %r5, %r2, 8, %bars;
  add.u32 %r6, %r5, {1};
)",
                                         kStageBytes, ring.stages * 8);
  return bars + "  @%leader fence.mbarrier_init.release.cluster;\n  bar.sync 0;\n" +
         fmt::format("  mov.u32 %r1, 0;\n  mov.u32 %r2, 0;\n  mov.u32 %r3, {};\n", ring.first_parity) +
         "  @!%first bra CONSUME;\n  @!%leader bra END;\n  mov.u32 %r3, 1;\nPRODUCE:\n" + places +
         (ring.waits_until_empty ? wait_for("%r6", "%r3") : "") + expect +
         fmt::format("  mad.wide.u32 %l1, %r1, {}, %from;\n", kStageBytes) + std::string(load) + next +
         "  @%p2 bra PRODUCE;\n  bra END;\nCONSUME:\n" + places +
         (ring.waits_until_full ? wait_for("%r5", "%r3") : "") +
         fmt::format(R"(
  mad.lo.u32 %r7, %lane, 16, %r4;
  ld.shared.v4.b32 {{%r8, %r9, %r10, %r11}}, [%r7];
  rem.u32 %r12, %r1, {0};
  add.u32 %r12, %r12, 1;
  setp.eq.u32 %p3, %r12, %warp;
  mad.wide.u32 %l2, %r1, {1}, %to;
  mad.wide.u32 %l2, %lane, 16, %l2;
  @%p3 st.global.v4.b32 [%l2], {{%r8, %r9, %r10, %r11}};
  bar.warp.sync 0xffffffff;
)",
                     ring.consumers, kStageBytes) +
         (ring.releases ? "  @%elected mbarrier.arrive.shared.b64 _, [%r6];\n" : "") + next +
         "  @%p2 bra CONSUME;\nEND:\n";
}

/// What the ring should have copied.
inline bool has_copied(const AsyncMachine& machine, const Ring& ring) {
  return std::equal(machine.result, machine.result + ring.rounds * kStageBytes / 4, machine.source);
}

}  // namespace lathe::tests
