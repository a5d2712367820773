// Kernels of cp.async for tests: a block of threads that each have 16 bytes of `buffer`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tests/support/catch.h"
#include "tests/support/ptx_machine.h"

namespace lathe::tests {

/// Registers: `thread`, `warp`, `to` (32 bits, its 16 bytes of shared memory), `from` (64, of the source),
/// `out` (64, of the result). The shared memory holds 0xeeeeeeee at first. For steps in between p, q; r0 to
/// r15; l0 to l7.
inline std::string copy_kernel_text(std::string_view body) {
  return fmt::format(R"(.version 8.7
.target sm_90a
.address_size 64
.visible .entry kernel(.param .u64 source, .param .u64 result)
{{
  .reg .b32 thread, warp, to, r<16>;
  .reg .b64 from, out, l<8>;
  .reg .pred p, q;
  .shared .align 16 .b8 buffer[4096];
  mov.u32 thread, %tid.x;
  shr.u32 warp, thread, 5;
  mov.u32 to, buffer;
  mad.lo.u32 to, thread, 16, to;
  ld.param.u64 from, [source];
  mad.wide.u32 from, thread, 16, from;
  ld.param.u64 out, [result];
  mad.wide.u32 out, thread, 16, out;
  mov.u32 r15, 0xeeeeeeee;
  st.shared.v4.b32 [to], {{r15, r15, r15, r15}};
  bar.sync 0;
{}
  ret;
}}
)",
                     body);
}

/// Gives the thread's 16 bytes of shared memory out as its result.
constexpr std::string_view kGiveOut =
    "  ld.shared.v4.b32 {r0, r1, r2, r3}, [to];\n  st.global.v4.b32 [out], {r0, r1, r2, r3};\n";

constexpr std::uint32_t kOld = 0xeeeeeeee;

struct CopyRun {
  std::string error;                  ///< empty: none
  std::vector<std::uint32_t> result;  ///< four words a thread
};

/// Word i of the source is 1000 + i. There are as many as threads have results.
inline CopyRun run_copies(std::string_view body, unsigned threads = 64, runtime::ptx::Checks checks = {}) {
  PtxMachine machine;
  machine.facts.block = {threads, 1, 1};
  machine.checks = checks;
  std::vector<std::uint32_t> source(std::size_t{threads} * 4);
  for (std::size_t i = 0; i < source.size(); ++i) source[i] = static_cast<std::uint32_t>(1000 + i);
  const auto* from = machine.upload(source);
  const auto* out = machine.upload(std::vector<std::uint32_t>(source.size()));
  const auto done = machine.run(copy_kernel_text(body), packed_parameters(from, out));
  CopyRun run;
  if (!done) run.error = done.error().text();
  run.result.assign(out, out + source.size());
  return run;
}

inline std::string copy_error(std::string_view body, unsigned threads = 64) {
  return run_copies(body, threads).error;
}

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace lathe::tests
