#include "runtime/ptx/shadow.h"

#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/ptx_machine.h"

using lathe::runtime::ptx::Shadow;

TEST_CASE("bytes are defined one by one") {
  Shadow shadow(64);
  CHECK(shadow.is_tracked());
  CHECK_FALSE(shadow.is_defined(0, 1));
  shadow.define(8, 8);
  CHECK(shadow.is_defined(8, 8));
  CHECK_FALSE(shadow.is_defined(7, 2));
  shadow.undefine(10, 1);
  CHECK_FALSE(shadow.is_defined(8, 8));
  shadow.define(10, 1);
  shadow.copy(8, 32, 8);
  CHECK(shadow.is_defined(32, 8));
  const Shadow moved = std::move(shadow);
  CHECK(moved.is_defined(32, 8));
}

TEST_CASE("where nothing is tracked everything is defined") {
  Shadow none;
  CHECK_FALSE(none.is_tracked());
  none.define(0, 4);
  none.undefine(0, 4);
  none.copy(0, 4, 4);
  CHECK(none.is_defined(0, 100));
  CHECK(Shadow(0).is_defined(0, 1));
}

TEST_CASE("every range is defined, and nothing beside it") {
  for (std::size_t begin = 0; begin < 17; ++begin) {
    for (std::size_t bytes = 0; bytes < 33; ++bytes) {
      INFO(bytes << " bytes from " << begin);
      Shadow shadow(64);
      shadow.define(begin, bytes);
      CHECK(shadow.is_defined(begin, bytes));
      for (std::size_t i = 0; i < 64; ++i) CHECK(shadow.is_defined(i, 1) == (i - begin < bytes));
      CHECK_FALSE(shadow.is_defined(begin, bytes + 1));
      if (begin != 0) CHECK_FALSE(shadow.is_defined(begin - 1, bytes + 1));
    }
  }
}

TEST_CASE("several threads define the same bytes and ask for them") {
  Shadow shadow(256);
  std::vector<std::thread> threads;
  for (std::size_t first = 0; first < 4; ++first) {
    threads.emplace_back([&shadow, first] {
      for (std::size_t i = first; i + 8 <= 256; ++i) shadow.define(i, 1 + i % 8);
      while (!shadow.is_defined(8, 240)) std::this_thread::yield();
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(shadow.is_defined(3, 246));
}

TEST_CASE("blocks on several threads hand a flag around") {
  lathe::tests::PtxMachine machine;
  machine.workers = 4;
  machine.grid = {64, 1, 1};
  auto* flag = machine.allocate<std::uint32_t>(1);
  machine.run_ok(32, lathe::tests::ptx_kernel(1, R"(
    mov.u32 %r1, 1;
    st.relaxed.gpu.global.u32 [%l0], %r1;
    ld.relaxed.gpu.global.u32 %r2, [%l0];)"),
                 flag);
  CHECK(*flag == 1);
}
