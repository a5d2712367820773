#include "tests/kernels/kv_case.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <utility>

#include <fmt/format.h>

#include "codegen/canonical.h"
#include "codegen/ops/kv_move.h"
#include "tests/kernels/kv_side_memory.h"
#include "tests/reference/kv_move.h"
#include "tests/support/kernel_report.h"

namespace lathe::tests {

namespace {

/// Index arrays on both sides.
class MapMemory {
 public:
  MapMemory(Runtime& runtime, const KvMap& map, DType dtype) : map_(map) {
    for (const auto* values : {&map.index, &map.offsets, &map.rows, &map.positions}) {
      Image image(values->size() * size_of(dtype));
      for (std::size_t i = 0; i < values->size(); ++i) {
        std::memcpy(image.data() + i * size_of(dtype), &(*values)[i], size_of(dtype));
      }
      arrays_.push_back(values->empty() ? nullptr : std::make_unique<Memory>(runtime, std::move(image)));
    }
  }
  KvIndexArgs args(bool on_device) const {
    const auto pointer = [&](std::size_t i) -> const void* {
      if (arrays_[i] == nullptr) return nullptr;
      return on_device ? arrays_[i]->device.data() : arrays_[i]->host.data();
    };
    return {.index = pointer(0),
            .offsets = pointer(1),
            .rows = pointer(2),
            .positions = pointer(3),
            .table_width = map_.table_width,
            .sequences = map_.offsets.empty() ? 0 : static_cast<Index>(map_.offsets.size()) - 1,
            .entries = map_.entries,
            .start = map_.start};
  }

 private:
  const KvMap& map_;
  std::vector<std::unique_ptr<Memory>> arrays_{};
};

/// Views whose blocks the launch works out hold the tokens and no more.
std::array<KvMemory, kMaxKvViews> with_blocks(const std::array<KvMemory, kMaxKvViews>& given,
                                              const std::vector<KvView>& views, Index slots) {
  auto all = given;
  for (std::size_t v = 0; v < views.size(); ++v) {
    const Index needed = v == 0 ? slots : all[0].blocks * views[0].block_size;
    if (all[v].blocks == 0) all[v].blocks = (needed + views[v].block_size - 1) / views[v].block_size;
  }
  return all;
}

/// One launch's memory and arguments.
class Launch {
 public:
  Launch(Runtime& runtime, const KvCase& test, const reference::KvMove& move)
      : test_(test),
        random_(test.seed),
        src_given_(with_blocks(test.src, move.src, test.src_map.start + test.tokens)),
        dst_given_(with_blocks(test.dst, move.dst, test.dst_map.start + test.tokens)),
        src_(runtime, move.src, src_given_, random_),
        dst_(runtime, move.dst, dst_given_, random_),
        src_map_(runtime, test.src_map, move.src_index.dtype),
        dst_map_(runtime, test.dst_map, move.dst_index.dtype),
        old_({.index = test.old_positions}),
        new_({.index = test.new_positions}),
        old_positions_(runtime, old_, move.rotation.position_dtype),
        new_positions_(runtime, new_, move.rotation.position_dtype),
        scales_(runtime, scales_image(test)),
        status_(runtime, Image(sizeof(int))) {}

  KvMoveArgs args(bool on_device) {
    KvMoveArgs args{.tokens = test_.tokens, .first_token = test_.first_token, .layers = test_.layers};
    src_.fill(args.src, args.src_pointers, on_device);
    dst_.fill(args.dst, args.dst_pointers, on_device);
    args.src_index = src_map_.args(on_device);
    args.dst_index = dst_map_.args(on_device);
    const auto* scales =
        reinterpret_cast<const float*>(on_device ? scales_.device.data() : scales_.host.data());
    for (const float*& table : args.scales) table = scales;
    args.status = reinterpret_cast<int*>(on_device ? status_.device.data() : status_.host.data());
    args.src_first_layer = test_.src_first_layer;
    args.dst_first_layer = test_.dst_first_layer;
    args.src_first_plane = test_.src_first_plane;
    args.dst_first_plane = test_.dst_first_plane;
    args.src_first_head = test_.src_first_head;
    args.dst_first_head = test_.dst_first_head;
    args.max_blocks = test_.max_blocks;
    args.old_positions = old_positions_.args(on_device).index;
    args.new_positions = new_positions_.args(on_device).index;
    args.position_shift = test_.position_shift;
    return args;
  }

  std::string difference() const {
    if (const std::string wrong = dst_.difference("dst", {test_.has_nans, test_.is_rotated}); !wrong.empty())
      return wrong;
    return src_.difference("src", {});
  }
  int status() const {
    int value = 0;
    std::memcpy(&value, status_.device.download().data(), sizeof value);
    return value;
  }
  const Image& destination() const { return dst_.host(0); }

 private:
  static Image scales_image(const KvCase& test) {
    Image image(std::max<std::size_t>(1, test.scales.size()) * sizeof(float));
    if (!test.scales.empty()) std::memcpy(image.data(), test.scales.data(), image.size());
    return image;
  }

  const KvCase& test_;
  std::mt19937 random_;
  std::array<KvMemory, kMaxKvViews> src_given_;
  std::array<KvMemory, kMaxKvViews> dst_given_;
  SideMemory<const void*> src_;
  SideMemory<void*> dst_;
  MapMemory src_map_;
  MapMemory dst_map_;
  KvMap old_;
  KvMap new_;
  MapMemory old_positions_;
  MapMemory new_positions_;
  Memory scales_;
  Memory status_;
};

reference::KvMove move_of(const KernelSpec& spec) {
  if (const auto* gather = std::get_if<KvGatherSpec>(&spec)) return reference::KvMove(*gather);
  return reference::KvMove(std::get<KvScatterSpec>(spec));
}

/// The status that the policies let the launch report.
int reported(const KernelSpec& spec, int status) {
  const codegen::KvMove move = codegen::kv_move_of(spec);
  int mask = 0;
  if (move.negative == KvBadIndex::report) mask |= kKvNegativeIndex;
  if (move.bounds == KvBadIndex::report) mask |= kKvIndexTooLarge;
  if (move.duplicates == KvDuplicates::report) mask |= kKvDuplicateSlot;
  return status & mask;
}

}  // namespace

std::string run_kv(Runtime& runtime, const KvCase& test, std::vector<std::byte>* result) {
  const auto kernel = runtime.get_kernel(test.spec);
  if (!kernel) return kernel.error().message + "\n" + kernel.error().log;
  // With the axes' blanks in place.
  const reference::KvMove move = move_of(kernel->spec());
  Launch launch(runtime, test, move);
  KvMoveArgs args = launch.args(true);
  const auto needed = kernel->workspace_bytes_for(&args, sizeof args);
  if (!needed) return needed.error().message;
  const GuardedBuffer workspace(runtime, *needed);
  const std::vector<std::byte> poison(*needed, std::byte{0x5A});
  const_cast<GuardedBuffer&>(workspace).upload(poison.data());
  args.workspace = workspace.data();
  args.workspace_bytes = static_cast<Index>(*needed);
  const auto launched = kernel->launch_bytes(&args, sizeof args, {});
  if (!launched) return launched.error().message;
  const auto done = runtime.synchronize({});
  if (!done) return done.error().message;
  const int status = reference::kv_move(move, launch.args(false));
  std::string wrong = launch.difference();
  const int expected = reported(kernel->spec(), status);
  if (wrong.empty() && launch.status() != expected) {
    wrong = fmt::format("status is {}, expected {}", launch.status(), expected);
  }
  workspace.download();
  if (result != nullptr) *result = launch.destination();
  report_kernel(test.spec, runtime.target(), wrong.empty());
  return wrong.empty() ? wrong : wrong + "\n" + codegen::canonical_text(kernel->spec());
}

}  // namespace lathe::tests
