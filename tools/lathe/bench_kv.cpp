// kv_gather and kv_scatter beside a copy of the same bytes: presets with rows of 256 bytes to whole blocks.
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

#include <fmt/format.h>

#include <lathe/kv_presets.h>

#include "runtime/base/try.h"
#include "tools/lathe/bench.h"
#include "tools/lathe/bench_copy.h"

namespace lathe::tools {

namespace {

constexpr double kShareLimit = 0.85;
constexpr Index kTokens = 4096;
constexpr KvModel kModel{.layers = 4};  // 8 heads of 128, blocks of 16
constexpr Index kBlocks = 2 * kTokens / kModel.block_size;

struct Case {
  std::string preset;
  KvDirection direction;
};

/// Slots of the cache in no order, or pairs of blocks where the map numbers those.
std::vector<std::int64_t> index_of(KvIndexKind kind) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(kind == KvIndexKind::pairs ? kBlocks : 2 * kTokens));
  std::iota(all.begin(), all.end(), 0);
  std::shuffle(all.begin(), all.end(), std::mt19937(1));
  return all;
}

/// Bytes of a view's memory.
std::size_t bytes_of(const KvView& view, const KvIndex& index) {
  Index slots = 2 * kTokens;
  if (index.kind == KvIndexKind::identity) slots = kTokens;
  if (index.kind == KvIndexKind::pairs) slots = kBlocks;
  return static_cast<std::size_t>(view.layers * view.planes * view.heads * view.content * slots) *
         size_of(view.dtype);
}

struct Memory {
  std::vector<Buffer> buffers;

  Result<void*> add(Runtime& runtime, std::size_t bytes) {
    const std::vector<std::byte> content(bytes, std::byte{0x3F});
    LATHE_TRY(Buffer buffer, runtime.allocate(bytes));
    LATHE_CHECK(runtime.copy_to_device(buffer.data(), content.data(), bytes, Stream{}));
    buffers.push_back(std::move(buffer));
    return buffers.back().data();
  }
};

template <KvDirection direction>
Result<void> bench_spec(const Invocation& invocation, Runtime& runtime, const std::string& name,
                        const KvMoveSpec<direction>& spec, const std::atomic<bool>& stop) {
  LATHE_TRY(const auto kernel, runtime.get(spec));
  const bool has_pairs = spec.src_index.kind == KvIndexKind::pairs;
  const Index tokens = has_pairs ? kBlocks / 2 : kTokens;
  const auto index = index_of(has_pairs ? KvIndexKind::pairs : KvIndexKind::slots);
  Memory memory;
  LATHE_TRY(void* const map, memory.add(runtime, index.size() * sizeof index[0]));
  LATHE_CHECK(runtime.copy_to_device(map, index.data(), index.size() * sizeof index[0], Stream{}));
  KvMoveArgs args{.tokens = tokens};
  const auto blocks_of = [&](const KvView& view, const KvIndex& side) {
    if (side.kind == KvIndexKind::identity) return Index{0};
    return has_pairs ? kBlocks : 2 * kTokens / view.block_size;
  };
  LATHE_TRY(args.src[0].base, memory.add(runtime, bytes_of(spec.src[0], spec.src_index)));
  LATHE_TRY(args.dst[0].base, memory.add(runtime, bytes_of(spec.dst[0], spec.dst_index)));
  args.src[0].blocks = blocks_of(spec.src[0], spec.src_index);
  args.dst[0].blocks = blocks_of(spec.dst[0], spec.dst_index);
  args.src_index.index = args.dst_index.index = map;
  LATHE_TRY(const std::size_t workspace, kernel.workspace_bytes(args));
  if (workspace > 0) {
    LATHE_TRY(args.workspace, memory.add(runtime, workspace));
    args.workspace_bytes = static_cast<Index>(workspace);
  }
  const KvView& view = spec.src[0];
  const std::size_t traffic =
      2 * static_cast<std::size_t>(view.layers * view.planes * view.heads * view.content * tokens) *
      size_of(view.dtype);
  LATHE_TRY(const CopyTimes times,
            time_beside_copy(runtime, [&] { return kernel.launch(args, Stream{}); }, traffic, stop));
  if (!times.kernel_ms.empty()) report_share(invocation, runtime, name, traffic, times, kShareLimit);
  return {};
}

template <KvDirection direction>
Result<void> bench_preset(const Invocation& invocation, Runtime& runtime, const Case& measured,
                          const Result<KvMoveSpec<direction>>& found, const std::atomic<bool>& stop) {
  if (!found) return found.error();
  const char* const op = direction == KvDirection::gather ? "kv_gather" : "kv_scatter";
  const std::string name =
      fmt::format("{} {} bf16 {} tokens, {} layers", op, measured.preset, kTokens, kModel.layers);
  return bench_spec(invocation, runtime, name, *found, stop);
}

}  // namespace

Result<void> bench_kv(const Invocation& invocation, const std::optional<Target>& target,
                      const std::atomic<bool>& stop) {
  Options options = invocation.options();
  options.target = target;
  LATHE_TRY(Runtime runtime, invocation.open(std::move(options)));
  if (!runtime.has_device()) {
    invocation.console().note("kv is not measured: there is no device; see lathe doctor");
    return {};
  }
  using enum KvDirection;
  for (const Case& measured :
       {Case{"flash_nhd-2ltd", gather}, Case{"flash_nhd-2ltd", scatter}, Case{"flashinfer_hnd-2ltd", gather},
        Case{"flashinfer_hnd-2ltd", scatter}, Case{"mla-rows", gather}, Case{"mla-rows", scatter},
        Case{"mla_656-rows", gather}, Case{"transfer_kv_lf_pf", gather}, Case{"copy_blocks", gather}}) {
    if (stop) break;
    LATHE_CHECK(
        measured.direction == gather
            ? bench_preset(invocation, runtime, measured, kv_gather_preset(measured.preset, kModel), stop)
            : bench_preset(invocation, runtime, measured, kv_scatter_preset(measured.preset, kModel), stop));
  }
  return {};
}

}  // namespace lathe::tools
