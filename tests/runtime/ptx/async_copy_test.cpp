// cp.async: what each form copies, and when.
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "runtime/ptx/async_copies.h"
#include "tests/runtime/ptx/copy_kernel.h"
#include "tests/support/catch.h"

using namespace lathe::tests;
using lathe::runtime::ptx::AsyncCopies;
using lathe::runtime::ptx::Checks;

namespace {

/// The 16 bytes of a thread, of which `copied` come from the source and the rest of `size` is zeros.
std::array<std::uint32_t, 4> expected(unsigned thread, unsigned size, unsigned copied) {
  std::array<std::uint32_t, 4> source{};
  for (unsigned i = 0; i < 4; ++i) source[i] = 1000 + 4 * thread + i;
  std::array<std::uint32_t, 4> result{kOld, kOld, kOld, kOld};
  std::memset(result.data(), 0, size);
  std::memcpy(result.data(), source.data(), copied);
  return result;
}

void check_copies(std::string_view instruction, unsigned size, unsigned copied) {
  INFO(instruction);
  const CopyRun run =
      run_copies(fmt::format("  setp.eq.u32 p, thread, thread;\n  setp.ne.u32 q, thread, thread;\n"
                             "  mov.u32 r1, 3;\n  createpolicy.fractional.L2::evict_first.b64 l1, 1.0;\n"
                             "  cvt.u64.u32 l2, to;\n  {}\n  cp.async.wait_all;\n{}",
                             instruction, kGiveOut));
  REQUIRE(run.error == "");
  for (unsigned thread = 0; thread < 64; ++thread) {
    const auto wanted = expected(thread, size, copied);
    CHECK(std::vector(run.result.begin() + 4 * thread, run.result.begin() + 4 * thread + 4) ==
          std::vector(wanted.begin(), wanted.end()));
  }
}

Checks no_checks() {
  return {.definedness = false, .races = false};
}

}  // namespace

TEST_CASE("cp.async copies 4, 8 or 16 bytes") {
  check_copies("cp.async.ca.shared.global [to], [from], 4;", 4, 4);
  check_copies("cp.async.ca.shared::cta.global [to], [from], 8;", 8, 8);
  check_copies("cp.async.ca.shared.global [to], [from], 16;", 16, 16);
  check_copies("cp.async.cg.shared.global [to], [from], 16;", 16, 16);
  check_copies("cp.async.cg.shared.global.L2::128B [to], [from], 16;", 16, 16);
  check_copies("cp.async.ca.shared.global.L2::64B [to], [from], 4;", 4, 4);
  check_copies("cp.async.cg.shared.global [l2], [from], 16;", 16, 16);
  check_copies(
      "add.u32 to, to, 16; sub.u64 from, from, 32; cp.async.cg.shared.global [to+-16], [from+32], 16; "
      "sub.u32 to, to, 16;",
      16, 16);
}

TEST_CASE("cp.async fills up with zeros what the source does not have") {
  for (const unsigned size : {4U, 8U, 16U}) {
    for (unsigned copied = 0; copied <= size; ++copied) {
      check_copies(fmt::format("cp.async.ca.shared.global [to], [from], {}, {};", size, copied), size,
                   copied);
      check_copies(
          fmt::format("mov.u32 r2, {1}; cp.async.ca.shared.global [to], [from], {0}, r2;", size, copied),
          size, copied);
    }
  }
}

TEST_CASE("cp.async may ignore its source") {
  check_copies("cp.async.cg.shared.global [to], [from], 16, p;", 16, 0);
  check_copies("cp.async.cg.shared.global [to], [from], 16, !p;", 16, 16);
  check_copies("cp.async.cg.shared.global [to], [from], 16, q;", 16, 16);
  check_copies("cp.async.ca.shared.global [to], [from], 8, !q;", 8, 0);
}

TEST_CASE("cp.async takes a cache policy behind everything else") {
  check_copies("cp.async.cg.shared.global.L2::cache_hint [to], [from], 16, l1;", 16, 16);
  check_copies("cp.async.cg.shared.global.L2::cache_hint.L2::256B [to], [from], 16, r1, l1;", 16, 3);
  check_copies("cp.async.ca.shared.global.L2::cache_hint [to], [from], 4, p, l1;", 4, 0);
}

TEST_CASE("only lanes whose guard is true copy, each its own size") {
  const CopyRun run =
      run_copies(fmt::format("  and.b32 r1, thread, 1;\n  setp.eq.u32 p, r1, 0;\n  and.b32 r2, thread, 15;\n"
                             "  @p cp.async.cg.shared.global [to], [from], 16, r2;\n  cp.async.wait_all;\n{}",
                             kGiveOut));
  REQUIRE(run.error == "");
  for (unsigned thread = 0; thread < 64; ++thread) {
    const auto wanted = expected(thread, thread % 2 == 0 ? 16 : 0, thread % 2 == 0 ? thread % 16 : 0);
    CHECK(std::memcmp(&run.result[4 * thread], wanted.data(), 16) == 0);
  }
}

TEST_CASE("a copy is done by the wait that covers its group, and not before") {
  // Three groups of four bytes each; what is in shared memory when `kept` may stay.
  const auto words = [](std::string_view wait) {
    const CopyRun run = run_copies(fmt::format("  cp.async.ca.shared.global [to], [from], 4;\n"
                                               "  cp.async.commit_group;\n"
                                               "  cp.async.ca.shared.global [to+4], [from+4], 4;\n"
                                               "  cp.async.commit_group;\n"
                                               "  cp.async.ca.shared.global [to+8], [from+8], 4;\n"
                                               "  cp.async.commit_group;\n"
                                               "  cp.async.ca.shared.global [to+12], [from+12], 4;\n"
                                               "  {}\n{}  cp.async.wait_all;\n",
                                               wait, kGiveOut),
                                   32, no_checks());
    REQUIRE(run.error == "");
    std::string copied;
    for (unsigned i = 0; i < 4; ++i)
      copied += run.result[i] == kOld ? '-' : run.result[i] == 1000 + i ? '+' : '?';
    return copied;
  };
  CHECK(words("") == "----");
  CHECK(words("cp.async.wait_group 4;") == "----");
  CHECK(words("cp.async.wait_group 3;") == "----");
  CHECK(words("cp.async.wait_group 2;") == "+---");
  CHECK(words("cp.async.wait_group 1;") == "++--");
  CHECK(words("cp.async.wait_group 0;") == "+++-");
  CHECK(words("cp.async.wait_all;") == "++++");
  CHECK(words("cp.async.commit_group; cp.async.wait_group 1;") == "+++-");
  CHECK(words("cp.async.commit_group; cp.async.wait_group 0;") == "++++");
  CHECK(words("cp.async.commit_group; cp.async.commit_group; cp.async.wait_group 1;") == "++++");
  CHECK(words("cp.async.wait_group 2; cp.async.wait_group 2; cp.async.wait_group 1;") == "++--");
}

TEST_CASE("the source is read at the wait") {
  const CopyRun run =
      run_copies(fmt::format("  cp.async.cg.shared.global [to], [from], 16;\n  mov.u32 r1, 7;\n"
                             "  st.global.u32 [from+4], r1;\n  cp.async.wait_all;\n{}",
                             kGiveOut),
                 32, no_checks());
  REQUIRE(run.error == "");
  CHECK(run.result[0] == 1000);
  CHECK(run.result[1] == 7);
}

TEST_CASE("AsyncCopies closes groups lane by lane") {
  std::array<std::byte, 8> from{};
  std::array<std::byte, 8> to{};
  from.fill(std::byte{5});
  AsyncCopies copies;
  const auto issue = [&](unsigned lane, std::size_t at) {
    copies.issue(lane,
                 {.to = {.bytes = &to[at]}, .from = {.bytes = &from[at]}, .bytes = 2, .source_bytes = 1});
  };
  issue(0, 0);
  copies.commit(0);
  issue(0, 2);
  issue(1, 4);
  CHECK(copies.pending(0).size() == 2);
  CHECK(copies.due(0, 0).size() == 1);
  CHECK(copies.due(0, 1).empty());
  CHECK(copies.due(1, 0).empty());
  copies.commit(0);
  CHECK(copies.due(0, 0).size() == 2);
  CHECK(copies.due(0, 1).size() == 1);
  to.fill(std::byte{9});
  copies.complete(0, 1);
  CHECK(to == std::array{std::byte{5}, std::byte{0}, std::byte{9}, std::byte{9}, std::byte{9}, std::byte{9},
                         std::byte{9}, std::byte{9}});
  CHECK(copies.pending(0).size() == 1);
  CHECK(copies.pending(0)[0].group == 1);
}
