// cp.async: mistakes that are reported, and their repaired twins.
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "tests/runtime/ptx/copy_kernel.h"
#include "tests/support/catch.h"

using namespace lathe::tests;

namespace {

constexpr std::string_view kCopy = "  cp.async.cg.shared.global [to], [from], 16;\n";
constexpr std::string_view kCommit = "  cp.async.commit_group;\n";
constexpr std::string_view kBarrier = "  bar.sync 0;\n";

std::string wait_group(unsigned kept) {
  return fmt::format("  cp.async.wait_group {};\n", kept);
}

/// Each thread gives out what the thread 32 away copied.
const std::string kGiveOutOther = fmt::format("  xor.b32 to, to, 512;\n{}", kGiveOut);

template <class... Part>
std::string error_of(const Part&... parts) {
  return copy_error((std::string(parts) + ...));
}

}  // namespace

TEST_CASE("reading before the wait is reported") {
  const std::string error = error_of(kCopy, kCommit, kGiveOut, wait_group(0));
  CHECK(contains(error, "use of a value that was never written"));
  CHECK(contains(error, "the asynchronous copy issued at PTX line 21 has not been waited for"));
  CHECK(error_of(kCopy, kCommit, wait_group(0), kGiveOut) == "");
}

TEST_CASE("a wait covers closed groups only") {
  CHECK(contains(error_of(kCopy, wait_group(0), kGiveOut), "has not been waited for"));
  CHECK(error_of(kCopy, kCommit, wait_group(0), kGiveOut) == "");
  CHECK(error_of(kCopy, "  cp.async.wait_all;\n", kGiveOut) == "");
}

TEST_CASE("a wait that leaves one group too many is reported") {
  const std::string body = fmt::format("{}{}{}{}", kCopy, kCommit, kCommit, kCommit);
  CHECK(contains(error_of(body, wait_group(3), kGiveOut), "has not been waited for"));
  CHECK(error_of(body, wait_group(2), kGiveOut) == "");
}

TEST_CASE("a thread that ends without having waited is reported") {
  const std::string error = copy_error(fmt::format("{}{}", kCopy, kCommit), 32);
  CHECK(contains(error,
                 "illegal instruction: the thread ends without having waited for 1 of its asynchronous "
                 "copies, the first issued at PTX line 21, `cp.async.cg.shared.global"));
  CHECK(contains(error, "thread (0, 0, 0)"));
  CHECK(contains(error_of(kCopy, kCopy), "2 of its asynchronous copies"));
  CHECK(contains(error_of("  setp.eq.u32 p, thread, 37;\n  @p", kCopy), "thread (37, 0, 0)"));
  CHECK(error_of(kCopy, kCommit, wait_group(0)) == "");
  CHECK(error_of(kCopy, "  cp.async.wait_all;\n") == "");
  CHECK(error_of(kCopy, kCommit, wait_group(0), kCommit, kCommit) == "");  // empty groups
  CHECK(run_copies(fmt::format("{}{}", kCopy, kCommit), 64, {.definedness = false, .races = false}).error ==
        "");
}

TEST_CASE("another thread's copy needs its wait, then a barrier") {
  const std::string issue = fmt::format("{}{}", kCopy, kCommit);
  CHECK(error_of(issue, wait_group(0), kBarrier, kGiveOutOther) == "");
  CHECK(error_of(issue, kBarrier, wait_group(0), kGiveOutOther) != "");  // the wrong way round
  CHECK(error_of(issue, wait_group(0), kGiveOutOther) != "");
  // Only the threads of one warp wait, and those of the other read.
  for (const unsigned waiting : {0U, 1U}) {
    const std::string uneven = fmt::format(
        "{}  setp.ne.u32 p, warp, {};\n  @p bra meet;\n  cp.async.wait_all;\nmeet:\n{}  @p bra "
        "last;\n{}last:\n"
        "  cp.async.wait_all;\n",
        issue, waiting, kBarrier, kGiveOutOther);
    INFO(uneven);
    CHECK(error_of(uneven) != "");
  }
}

TEST_CASE("a copy that is waited for after the barrier is reported whoever comes first") {
  for (const unsigned reader : {0U, 1U}) {
    // The other warp waits late, before or after the reader reads.
    const std::string late =
        fmt::format("  setp.eq.u32 p, warp, {};\n  @p bra read;\n{}{}{}bra end;\nread:\n{}{}end:\n", reader,
                    kCopy, kBarrier, "  cp.async.wait_all;\n", kBarrier, kGiveOutOther);
    CHECK(error_of(late) != "");
    const std::string early =
        fmt::format("  setp.eq.u32 p, warp, {};\n  @p bra read;\n{}{}{}bra end;\nread:\n{}{}end:\n", reader,
                    kCopy, "  cp.async.wait_all;\n", kBarrier, kBarrier, kGiveOutOther);
    CHECK(error_of(early) == "");
  }
}

TEST_CASE("a source that changes before the wait is reported") {
  const auto error = [](std::string_view first, std::string_view second) {
    return error_of(kCopy, first, second, "  xor.b64 from, from, 512;\n  st.global.u32 [from], thread;\n",
                    "  cp.async.wait_all;\n");
  };
  CHECK(contains(error(kBarrier, ""), "data race"));
  CHECK(error("  cp.async.wait_all;\n", kBarrier) == "");
}

TEST_CASE("a buffer that is filled again too early is reported") {
  const std::string again = fmt::format("{0}{1}{0}{1}", kCopy, kCommit);
  CHECK(contains(error_of(again, wait_group(1), kGiveOut, wait_group(0)), "has not been waited for"));
  CHECK(error_of(again, wait_group(0), kGiveOut) == "");
  // The other warp may still read what was there before.
  const std::string_view read_first =
      "  xor.b32 to, to, 512;\n  ld.shared.u32 r1, [to];\n  xor.b32 to, to, 512;\n";
  CHECK(error_of(read_first, kCopy, "  cp.async.wait_all;\n") != "");
  CHECK(error_of(read_first, kBarrier, kCopy, "  cp.async.wait_all;\n") == "");
}

TEST_CASE("addresses of cp.async are checked when it is issued") {
  const auto error = [](std::string_view instruction) {
    return copy_error(fmt::format("  {}\n  cp.async.wait_all;\n", instruction), 32);
  };
  CHECK(contains(error("cp.async.cg.shared.global [to+8], [from], 16;"),
                 "misaligned access: writes 16 bytes of shared"));
  CHECK(contains(error("cp.async.cg.shared.global [to], [from+8], 16;"),
                 "misaligned access: reads 16 bytes of global"));
  CHECK(contains(error("cp.async.ca.shared.global [to+2], [from], 4;"), "misaligned access"));
  CHECK(contains(error("cp.async.ca.shared.global [to+4], [from+4], 8;"), "misaligned access"));
  CHECK(error("cp.async.ca.shared.global [to+4], [from+12], 4;") == "");
  CHECK(contains(error("cp.async.cg.shared.global [to+3600], [from], 16;"), "access out of bounds: writes"));
  CHECK(contains(error("cp.async.cg.shared.global [to+-16], [from], 16;"), "access out of bounds: writes"));
  CHECK(contains(error("cp.async.cg.shared.global [to], [from+16], 16;"),
                 "access out of bounds: reads 16 bytes"));
  CHECK(contains(error("cp.async.cg.shared.global [to], [from+16], 16;"), "thread (31, 0, 0)"));
  CHECK(contains(error("cp.async.cg.shared.global [to], [to], 16;"), "access out of bounds: reads"));
}

TEST_CASE("of the source only what is read must be there") {
  const auto error = [](std::string_view instruction) {
    return copy_error(fmt::format("  setp.eq.u32 p, thread, 31;\n  selp.u32 r1, 4, 16, p;\n  mov.u64 l1, 0;\n"
                                  "  {}\n  cp.async.wait_all;\n",
                                  instruction),
                      32);
  };
  // Thread 31 has 16 bytes left.
  CHECK(contains(error("cp.async.cg.shared.global [to], [from+16], 16, r1;"), "reads 4 bytes"));
  CHECK(contains(
      error("@p mov.u64 l1, from; @!p mov.u64 l1, from; cp.async.cg.shared.global [to], [l1+16], 16, 1;"),
      "reads 1 bytes"));
  CHECK(contains(error("cp.async.cg.shared.global [to], [from+16], 16, !p;"), "reads 16 bytes"));
  CHECK(error("cp.async.cg.shared.global [to], [from+16], 16, p;") == "");
  CHECK(error("cp.async.cg.shared.global [to], [from+16], 16, 0;") == "");
  CHECK(error("setp.lt.u32 q, thread, 32; cp.async.cg.shared.global [to], [l1], 16, q;") == "");
  CHECK(contains(error("cp.async.cg.shared.global [to], [l1+4], 16, 0;"), "misaligned access"));
}

TEST_CASE("what cp.async needs must be defined, and its source size within its size") {
  const auto error = [](std::string_view instruction) {
    return copy_error(fmt::format("  {}\n  cp.async.wait_all;\n", instruction), 32);
  };
  CHECK(contains(error("cp.async.cg.shared.global [r9], [from], 16;"), "the address depends on it"));
  CHECK(contains(error("cp.async.cg.shared.global [to], [l7], 16;"), "the address depends on it"));
  CHECK(
      contains(error("cp.async.cg.shared.global [to], [from], 16, r9;"), "how much is copied depends on it"));
  CHECK(
      contains(error("cp.async.cg.shared.global [to], [from], 16, q;"), "how much is copied depends on it"));
  CHECK(contains(error("mov.u32 r1, 5; cp.async.ca.shared.global [to], [from], 4, r1;"),
                 "the source has 5 bytes, more than the 4 of the copy"));

  PtxMachine machine;
  machine.facts.block = {32, 1, 1};
  auto* undefined = machine.allocate<std::uint32_t>(128);
  const auto done = machine.run(copy_kernel_text(fmt::format("{}  cp.async.wait_all;\n", kCopy)),
                                packed_parameters(undefined, undefined));
  REQUIRE(!done);
  CHECK(contains(done.error().text(), "reads 16 bytes of global memory that nobody wrote"));
}

TEST_CASE("forms of cp that are not run are refused") {
  const auto refuses = [](std::string_view instruction, std::string_view why) {
    INFO(instruction);
    const std::string error = copy_error(fmt::format("  {}\n", instruction));
    INFO(error);
    CHECK(contains(error, why));
  };
  refuses("cp.async.cg.shared.global [to], [from], 8;", "the size is 4, 8 or 16 with .ca and 16 with .cg");
  refuses("cp.async.ca.shared.global [to], [from], 12;", "the size is 4, 8 or 16");
  refuses("cp.async.ca.shared.global [to], [from], r1;", "operand 3 must be an integer constant");
  refuses("cp.async.shared.global [to], [from], 4;", ".ca or .cg is missing");
  refuses("cp.async.ca.shared::cluster.global [to], [from], 4;", "from .global to .shared");
  refuses("cp.async.ca.global.shared [from], [to], 4;", "from .global to .shared");
  refuses("cp.async.ca.shared.global [to], [from], 4, 4, 4;", "the operands are");
  refuses("cp.async.ca.shared [to], [from], 4;", "from .global to .shared");
  refuses("cp.async.ca.shared.global [to], [buffer], 4;", "the source is not in .global");
  refuses("cp.async.cg.shared.global [to], [from], 16, l1;", "has 64 bits");
  refuses("cp.async.cg.shared.global.L2::cache_hint [to], [from], 16, r1;", "has 32 bits");
  refuses("cp.async.cg.shared.global.L2::32B [to], [from], 16;", "the modifier .L2::32B is not known");
  refuses("cp.async.wait_group r1;", "must be an integer constant");
  refuses("cp.async.wait_group -1;", "is negative");
  refuses("cp.sync.cg.shared.global [to], [from], 16;", "cp is known as cp.async");
}
