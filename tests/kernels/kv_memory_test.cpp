// kv_gather and kv_scatter: moves within one memory, far apart in it, and no byte beyond it.
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <vector>

#include <lathe/kv_presets.h>

#include "tests/kernels/kv_layouts.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"
#include "tests/support/fenced_pages.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

/// Device memory with these contents.
template <class T>
Buffer upload(Runtime& runtime, const std::vector<T>& values) {
  Buffer buffer = runtime.allocate(values.size() * sizeof(T)).value();
  runtime.copy_to_device(buffer.data(), values.data(), buffer.size(), {}).value();
  return buffer;
}

template <class T>
std::vector<T> download(Runtime& runtime, const Buffer& buffer) {
  std::vector<T> values(buffer.size() / sizeof(T));
  runtime.copy_to_host(values.data(), buffer.data(), buffer.size(), {}).value();
  return values;
}

}  // namespace

TEST_CASE("kv: blocks copied within their cache") {
  on_every_target([](Runtime& runtime) {
    const KvModel model{.layers = 2, .heads = 2, .head_size = 8, .block_size = 4};
    KvGatherSpec spec = kv_gather_preset("copy_blocks", model).value();
    spec.duplicates = KvDuplicates::unchecked;
    constexpr std::size_t kBlock = 4 * 2 * 8;
    constexpr std::size_t kBlocks = 7;
    std::vector<std::uint16_t> cache(2 * 2 * kBlocks * kBlock);  // [L, 2, NB, BS x NH x HS]
    std::iota(cache.begin(), cache.end(), std::uint16_t{0});
    const std::vector<std::int64_t> pairs{0, 5, 3, 1, 3, 6, 4, 2};
    const Buffer memory = upload(runtime, cache);
    const Buffer map = upload(runtime, pairs);
    KvMoveArgs args{.tokens = 4};
    args.src[0] = {.base = memory.data(), .blocks = kBlocks};
    args.dst[0] = {.base = memory.data(), .blocks = kBlocks};
    args.src_index.index = args.dst_index.index = map.data();
    const auto kernel = runtime.get(spec).value();
    const auto launched = kernel.launch(args, {});
    if (!launched) FAIL(launched.error().message);
    REQUIRE(runtime.synchronize({}));
    auto expected = cache;
    for (std::size_t plane = 0; plane < 4; ++plane) {
      for (std::size_t pair = 0; pair < pairs.size(); pair += 2) {
        const auto from = (plane * kBlocks + static_cast<std::size_t>(pairs[pair])) * kBlock;
        const auto to = (plane * kBlocks + static_cast<std::size_t>(pairs[pair + 1])) * kBlock;
        std::copy_n(cache.begin() + static_cast<std::ptrdiff_t>(from), kBlock,
                    expected.begin() + static_cast<std::ptrdiff_t>(to));
      }
    }
    CHECK(download<std::uint16_t>(runtime, memory) == expected);
  });
}

TEST_CASE("kv: offsets beyond 2^31 elements") {
  on_every_target([](Runtime& runtime) {
    if (runtime.target().backend != Backend::cpu) return;  // emulated memory is not sparse
    // Blocks, heads and layers each farther apart than 2^31 elements, one after the other, in pages of 1 and
    // of 16.
    constexpr Index kRow = 64;
    constexpr Index kFar = (Index{1} << 31) * 2 + 2 * kRow;  // bytes of bf16
    constexpr auto kBytes = static_cast<std::size_t>(3 * kFar + 64 * kRow);
    void* const mapped =
        mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(mapped != MAP_FAILED);
    auto* const cache = static_cast<std::byte*>(mapped);
    for (const std::size_t far_axis : {0u, 1u, 3u}) {
      KvView view{.axes = "L B N H C",
                  .strides = {0, 0, 0, 0, 0},
                  .layers = far_axis == 0 ? 2 : 1,
                  .block_size = 1,
                  .heads = far_axis == 3 ? 2 : 1,
                  .content = kRow};
      view.strides = {4 * kRow * 4, 2 * kRow * 2, 2 * kRow * 2, 2 * kRow, 0};
      view.strides[far_axis] = kFar;
      const KvView rows{.axes = "L N H C", .layers = view.layers, .heads = view.heads, .content = kRow};
      KvScatterSpec spec{
          .src = {rows}, .dst = {view}, .dst_index = {.kind = KvIndexKind::slots, .dtype = i64}};
      std::vector<std::uint16_t> values(static_cast<std::size_t>(4 * kRow));
      std::iota(values.begin(), values.end(), static_cast<std::uint16_t>(1000 * far_axis + 1));
      // Two rows: of two tokens in blocks 0 and 1, or of one token's layers or heads.
      const Index tokens = far_axis == 1 ? 2 : 1;
      const std::vector<std::int64_t> slots{far_axis == 1 ? 1 : 0, 0};
      KvMoveArgs args{.tokens = tokens};
      args.src[0].base = values.data();
      args.dst[0] = {.base = cache, .blocks = 2};
      args.dst_index.index = slots.data();
      std::array<int, 2> workspace{};
      args.workspace = workspace.data();
      args.workspace_bytes = sizeof workspace;
      const auto launched = runtime.get(spec).value().launch(args, {});
      if (!launched) FAIL(launched.error().message);
      const std::size_t near_row = far_axis == 1 ? kRow : 0;  // the second token is in block 0
      CHECK(std::memcmp(cache, values.data() + near_row, 2 * kRow) == 0);
      CHECK(std::memcmp(cache + kFar, values.data() + (kRow - static_cast<Index>(near_row)), 2 * kRow) == 0);
      // And back.
      KvGatherSpec back{.src = {view}, .dst = {rows}, .src_index = spec.dst_index};
      std::vector<std::uint16_t> read(values.size());
      KvMoveArgs back_args{.tokens = tokens};
      back_args.src[0] = {.base = cache, .blocks = 2};
      back_args.dst[0].base = read.data();
      back_args.src_index.index = slots.data();
      REQUIRE(runtime.get(back).value().launch(back_args, {}));
      CHECK(std::equal(read.begin(), read.begin() + 2 * kRow, values.begin()));
    }
    munmap(mapped, kBytes);
  });
}

TEST_CASE("kv: no byte beyond a row is read or written") {
  on_every_target([](Runtime& runtime) {
    if (runtime.target().backend != Backend::cpu) return;  // the emulator checks every access of every test
    for (const FencedPages::Side side : {FencedPages::Side::begin, FencedPages::Side::end}) {
      for (const std::int64_t bytes : {1, 7, 16, 33, 64, 100, 656, 1152}) {
        for (const bool converts : {false, true}) {
          if (converts && bytes % 2 != 0) continue;
          const auto dtype = converts ? f16 : u8;
          KvView rows{.axes = "N C", .dtype = dtype, .content = bytes / static_cast<Index>(size_of(dtype))};
          rows.alignment = 1;
          if (converts) rows.alignment = 2;
          KvView narrow = rows;
          if (converts) narrow.dtype = e4m3;
          KvGatherSpec spec{.src = {rows}, .dst = {narrow}, .segments = {{}}};
          constexpr Index kTokens = 5;
          const FencedPages from(static_cast<std::size_t>(kTokens * bytes), side);
          const FencedPages to(static_cast<std::size_t>(kTokens * (converts ? bytes / 2 : bytes)), side);
          KvMoveArgs args{.tokens = kTokens};
          args.src[0].base = from.data();
          args.dst[0].base = to.data();
          const auto launched = runtime.get(spec).value().launch(args, {});
          if (!launched) FAIL(launched.error().message);
        }
      }
    }
  });
}

TEST_CASE("kv: moves that go past the caches") {
  on_every_target([](Runtime& runtime) {
    if (runtime.target().backend != Backend::cpu) return;  // GPUs have one path for all sizes
    constexpr Index kBytes = Index{9} << 20;
    constexpr Index kGap = 16;
    for (const Index row : {129, 200, 656, 1024, 2050}) {
      const Index tokens = kBytes / row + 1;
      // Rows of the destination lie apart, at every place in a line that their alignment allows.
      KvView from{.axes = "N C", .dtype = u8, .content = row};
      KvView to{.axes = "N C", .strides = {row + kGap, 0}, .dtype = u8, .content = row};
      KvGatherSpec spec{.src = {from}, .dst = {to}, .src_index = {.kind = KvIndexKind::slots, .dtype = i64}};
      std::vector<std::uint8_t> cache(static_cast<std::size_t>(tokens * row));
      std::uint32_t state = 1;
      for (std::uint8_t& byte : cache)
        byte = static_cast<std::uint8_t>((state = state * 1664525 + 1013904223) >> 24);
      std::vector<std::uint8_t> expected(static_cast<std::size_t>(tokens * (row + kGap)), 0xA5);
      std::vector<Index> slots = distinct(tokens, tokens);
      slots[5] = -1;
      for (Index i = 0; i < tokens; ++i) {
        if (i == 5) continue;
        std::memcpy(expected.data() + i * (row + kGap),
                    cache.data() + slots[static_cast<std::size_t>(i)] * row, static_cast<std::size_t>(row));
      }
      const Buffer source = upload(runtime, cache);
      const Buffer target = upload(runtime, std::vector<std::uint8_t>(expected.size(), 0xA5));
      KvMoveArgs args{.tokens = tokens};
      args.src[0] = {.base = source.data(), .blocks = tokens};
      args.dst[0].base = target.data();
      args.src_index.index = slots.data();
      const auto launched = runtime.get(spec).value().launch(args, {});
      if (!launched) FAIL(launched.error().message);
      REQUIRE(runtime.synchronize({}));
      CHECK((download<std::uint8_t>(runtime, target) == expected));
    }
  });
}
