// What kv_gather and kv_scatter do to a GPU's memory, counted by the emulator: each byte once, in whole
// sectors.
#include <cstring>
#include <string>
#include <vector>

#include <lathe/kv_presets.h>

#include "runtime/base/try.h"
#include "tests/kernels/kv_layouts.h"
#include "tests/support/catch.h"
#include "tests/support/launch_profile.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

constexpr Index kTokens = 96;
constexpr Index kSlots = 128;

/// A view with memory for the slots; tables are at equal distances.
Index bytes_of(const KvView& view) {
  return view.layers * view.planes * view.heads * view.content * kSlots *
         static_cast<Index>(size_of(view.dtype));
}

struct Memory {
  std::vector<Buffer> buffers{};

  void* add(Runtime& runtime, std::size_t bytes) {
    buffers.push_back(runtime.allocate(bytes).value());
    const std::vector<std::byte> content(bytes, std::byte{0x3C});
    runtime.copy_to_device(buffers.back().data(), content.data(), bytes, {}).value();
    return buffers.back().data();
  }
};

template <KvDirection direction>
Result<void> launch(Runtime& runtime, const KvMoveSpec<direction>& spec) {
  LATHE_TRY(const auto kernel, runtime.get(spec));
  Memory memory;
  const std::vector<Index> slots = distinct(kTokens, kSlots);
  void* const map = memory.add(runtime, slots.size() * sizeof slots[0]);
  LATHE_CHECK(runtime.copy_to_device(map, slots.data(), slots.size() * sizeof slots[0], {}));
  KvMoveArgs args{.tokens = kTokens};
  const auto add_view = [&](auto& view_args, const KvView& view, const KvIndex& index) {
    view_args.base = memory.add(runtime, static_cast<std::size_t>(bytes_of(view)));
    if (index.kind != KvIndexKind::identity) view_args.blocks = kSlots / view.block_size;
  };
  for (std::size_t i = 0; i < spec.src.size(); ++i) add_view(args.src[i], spec.src[i], spec.src_index);
  for (std::size_t i = 0; i < spec.dst.size(); ++i) add_view(args.dst[i], spec.dst[i], spec.dst_index);
  args.src_index.index = args.dst_index.index = map;
  LATHE_TRY(const std::size_t workspace, kernel.workspace_bytes(args));
  args.workspace = memory.add(runtime, workspace + 1);
  args.workspace_bytes = static_cast<Index>(workspace);
  LATHE_CHECK(kernel.launch(args, {}));
  return runtime.synchronize({});
}

/// Bytes that must be read and written: rows, and the index once.
std::uint64_t floor_of(const std::vector<KvView>& views) {
  std::uint64_t bytes = kTokens * sizeof(std::int64_t);
  for (const KvView& view : views) bytes += 2 * static_cast<std::uint64_t>(bytes_of(view) / kSlots * kTokens);
  return bytes;
}

template <KvDirection direction>
void check(const std::string& arch, const std::string& name, const KvMoveSpec<direction>& spec,
           std::uint64_t most_sectors = 105) {
  const auto profiles = profiles_of(arch, [&](Runtime& runtime) { return launch(runtime, spec); });
  if (!profiles) return;
  LaunchProfile::Global sum;
  for (const LaunchProfile& profile : *profiles) {
    sum.read_bytes += profile.global.read_bytes;
    sum.written_bytes += profile.global.written_bytes;
    sum.sectors += profile.global.sectors;
    sum.ideal_sectors += profile.global.ideal_sectors;
  }
  const std::uint64_t floor = floor_of(spec.src);
  INFO(arch << " " << name << ": " << sum.read_bytes << " bytes read, " << sum.written_bytes << " written of "
            << floor << ", " << sum.sectors << " sectors of " << sum.ideal_sectors);
  CHECK(100 * (sum.read_bytes + sum.written_bytes) <= 105 * floor);
  CHECK(100 * sum.sectors <= most_sectors * sum.ideal_sectors);
}

}  // namespace

TEST_CASE("kv moves each byte once, in whole sectors") {
  const std::string arch = GENERATE("sm_80", "sm_90a");
  const KvModel wide{.layers = 2};
  const KvModel narrow{.layers = 2, .head_size = 64};  // rows of 128 bytes where heads are outside slots
  for (const KvModel& model : {wide, narrow}) {
    for (const char* name : {"flash_nhd-2ltd", "flashinfer_hnd-l2td", "transfer_kv_lf_pf"}) {
      check(arch, name, kv_gather_preset(name, model).value());
    }
    for (const char* name : {"flash_nhd-2ltd", "flashinfer_hnd-l2td", "reshape_and_cache_flash"}) {
      check(arch, name, kv_scatter_preset(name, model).value());
    }
  }
  check(arch, "mla-rows", kv_gather_preset("mla-rows", wide).value());
  check(arch, "mla-rows", kv_scatter_preset("mla-rows", wide).value());
  // Every other row of 656 bytes begins in the middle of a sector.
  check(arch, "mla_656-rows", kv_gather_preset("mla_656-rows", wide).value(), 107);
  check(arch, "mla_656-rows", kv_scatter_preset("mla_656-rows", wide).value(), 107);
}
