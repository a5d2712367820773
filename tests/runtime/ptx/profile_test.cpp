#include "runtime/ptx/profile.h"

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/ptx/emulator.h"
#include "tests/support/catch.h"
#include "tests/support/ptx_machine.h"

using namespace lathe;
using namespace lathe::runtime::ptx;
using lathe::tests::packed_parameters;
using lathe::tests::ptx_kernel;

namespace {

/// Places at these offsets, one a lane, in memory that begins at a multiple of 32 bytes.
std::array<Place, kLanes> places_at(unsigned first, unsigned stride, Space space) {
  alignas(64) static std::byte memory[8192];
  std::array<Place, kLanes> places{};
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    places[lane].offset = first + lane * stride;
    places[lane].bytes = memory + places[lane].offset;
    places[lane].space = space;
  }
  return places;
}

std::size_t sectors(unsigned bytes, unsigned first, unsigned stride, LaneMask lanes = kAllLanes) {
  return sectors_of(bytes, lanes, places_at(first, stride, Space::global));
}

std::pair<std::size_t, std::size_t> wavefronts(unsigned bytes, unsigned stride, LaneMask lanes = kAllLanes) {
  const Wavefronts found = wavefronts_of(bytes, lanes, places_at(0, stride, Space::shared));
  return {found.needed, found.ideal};
}

/// What a kernel of one warp did; %l0 is the address of 32 words, which hold 1.
LaunchProfile profile_of(const std::string& body, unsigned blocks = 1) {
  LaunchProfile seen;
  // Blocks may write the same here, one after the other.
  const auto emulator =
      runtime::make_emulator({.checks = {.definedness = true, .races = false},
                              .workers = 1,
                              .on_profile = [&](const LaunchProfile& profile) { seen = profile; }});
  const std::string ptx = ptx_kernel(1, body);
  const auto* begin = reinterpret_cast<const std::byte*>(ptx.data());
  codegen::KernelBinary binary;
  binary.payloads = {{codegen::PayloadKind::ptx, {begin, begin + ptx.size()}}};
  binary.entries = {{"kernel", {.block = {32, 1, 1}}}};
  const auto kernel = emulator->load(binary).value();
  void* memory = emulator->memory().allocate(4096).value();
  REQUIRE(emulator->memory().fill(memory, 1, 4096, {}));
  REQUIRE(emulator->launch(*kernel, {codegen::Grid{blocks, 1, 1}}, packed_parameters(memory), {}));
  emulator->memory().release(memory);
  return seen;
}

}  // namespace

TEST_CASE("sectors of an access") {
  CHECK(sectors(4, 0, 4) == 4);       // a row of 128 bytes
  CHECK(sectors(4, 16, 4) == 5);      // not aligned
  CHECK(sectors(4, 0, 32) == 32);     // one sector each
  CHECK(sectors(4, 0, 0) == 1);       // all the same
  CHECK(sectors(16, 0, 16) == 16);    // 512 bytes
  CHECK(sectors(2, 0, 2, 0xF) == 1);  // four lanes
}

TEST_CASE("passes through the banks of shared memory") {
  using Pair = std::pair<std::size_t, std::size_t>;
  CHECK(wavefronts(4, 4) == Pair{1, 1});
  CHECK(wavefronts(4, 0) == Pair{1, 1});     // the same word is given to all
  CHECK(wavefronts(4, 8) == Pair{2, 1});     // every other bank
  CHECK(wavefronts(4, 128) == Pair{32, 1});  // one bank
  CHECK(wavefronts(4, 132) == Pair{1, 1});   // padded
  CHECK(wavefronts(2, 2) == Pair{1, 1});     // two lanes to a word
  CHECK(wavefronts(8, 8) == Pair{2, 2});     // by half warps
  CHECK(wavefronts(16, 16) == Pair{4, 4});   // by quarters
  CHECK(wavefronts(16, 128) == Pair{32, 4});
  CHECK(wavefronts(4, 128, 0x3) == Pair{2, 1});
}

TEST_CASE("a launch is counted by warps, lanes and bytes") {
  const LaunchProfile profile = profile_of(R"(
    mad.wide.u32 %l1, %r0, 4, %l0;
    ld.global.u32 %r1, [%l1];
    setp.lt.u32 %p1, %r0, 8;
    @%p1 add.u32 %r1, %r1, 1;
    st.global.u32 [%l1+128], %r1;)",
                                           2);
  CHECK(profile.kernel == "kernel");
  // ld.param, mov, mad, ld, setp, add, st, ret in each of two blocks.
  CHECK(profile.warp_instructions == 16);
  CHECK(profile.lane_instructions == 2 * (7 * 32 + 8));
  CHECK(profile.instructions.memory == 2 * 3);
  CHECK(profile.instructions.control == 2);
  CHECK(profile.global.read_bytes == 256);
  CHECK(profile.global.distinct_read_bytes == 128);
  CHECK(profile.global.written_bytes == 256);
  CHECK(profile.global.distinct_written_bytes == 128);
  CHECK(profile.global.requests == 4);
  CHECK(profile.global.sectors == 16);
  CHECK(profile.global.ideal_sectors == 16);
}

TEST_CASE("conflicts and scattered accesses stand out") {
  const LaunchProfile profile = profile_of(R"(
    .shared .align 4 .b8 s[4096];
    mov.u32 %r1, s;
    mad.lo.u32 %r2, %r0, 128, %r1;
    st.shared.u32 [%r2], %r0;
    mad.wide.u32 %l1, %r0, 64, %l0;
    ld.global.u32 %r3, [%l1];
    red.global.add.u32 [%l0], 1;)");
  CHECK(profile.shared.written_bytes == 128);
  CHECK(profile.shared.wavefronts == 32);
  CHECK(profile.shared.ideal_wavefronts == 1);
  CHECK(profile.global.sectors == 32 + 1);
  CHECK(profile.global.ideal_sectors == 4 + 1);
  CHECK(profile.global.written_bytes == 128);  // of the reduction
  CHECK(profile.global.distinct_written_bytes == 4);
}

TEST_CASE("waiting is not counted, instructions are") {
  const LaunchProfile profile = profile_of("bar.sync 0;\nbar.sync 0;");
  CHECK(profile.instructions.synchronization == 2);
}

TEST_CASE("asynchronous copies count by what they read of global memory, and write of shared memory") {
  const LaunchProfile profile = profile_of(R"(
    .shared .align 16 .b8 s[512];
    mov.u32 %r1, s;
    mad.lo.u32 %r1, %r0, 16, %r1;
    mad.wide.u32 %l1, %r0, 16, %l0;
    setp.lt.u32 %p1, %r0, 8;
    selp.b32 %r2, 16, 0, %p1;
    cp.async.cg.shared.global [%r1], [%l1], 16, %r2;
    cp.async.ca.shared.global [%r1], [%l1], 4;
    cp.async.wait_all;)");
  // A lane whose source is empty reads nothing, and writes zeros.
  CHECK(profile.global.read_bytes == 8 * 16 + 32 * 4);
  CHECK(profile.global.distinct_read_bytes == 8 * 16 + 24 * 4);
  CHECK(profile.global.requests == 2);
  CHECK(profile.global.sectors == 4 + 16);
  CHECK(profile.global.ideal_sectors == 4 + 4);
  CHECK(profile.shared.written_bytes == 32 * 16 + 32 * 4);
}

TEST_CASE("bulk copies count by what they read of global memory") {
  const LaunchProfile profile = profile_of(R"(
    .shared .align 16 .b8 s[256];
    .shared .align 8 .b8 bar[8];
    setp.ne.u32 %p1, %r0, 0;
    @%p1 ret;
    mbarrier.init.shared.b64 [bar], 1;
    mbarrier.arrive.expect_tx.shared.b64 _, [bar], 160;
    cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [s], [%l0], 160, [bar];
  WAIT:
    mbarrier.try_wait.parity.shared.b64 %p2, [bar], 0;
    @!%p2 bra WAIT;
    cp.async.bulk.global.shared::cta.bulk_group [%l0+1024], [s], 96;
    cp.async.bulk.commit_group;
    cp.async.bulk.wait_group 0;)");
  CHECK(profile.global.read_bytes == 160);
  CHECK(profile.global.distinct_read_bytes == 160);
  CHECK(profile.global.written_bytes == 96);
  CHECK(profile.global.requests == 2);
  CHECK(profile.global.sectors == 8);
  CHECK(profile.global.ideal_sectors == 8);
}
