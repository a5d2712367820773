// What a launch of rms_norm_backward is checked for, into how many strips it divides the rows, and how large
// its grids and its workspace are.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include "codegen/ops/rms_norm_backward.h"
#include "codegen/ops/row_tensors.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

constexpr std::string_view kOp = "rms_norm_backward";

Index divide_up(Index a, Index b) {
  return (a + b - 1) / b;
}

/// Of a kernel's entries.
struct Entries {
  Entries(const RmsNormBackwardSpec& spec, const LaunchSite& site)
      : by_columns(site.entries.size() == (spec.store_dw ? 3 : 2)),
        main(site.entries[by_columns ? 1 : 0].launch),
        dw(site.entries.back().launch) {}

  bool by_columns;  ///< the first entry makes each row's sums; see rms_norm_backward_cuda.cpp
  const LaunchFacts& main;
  const LaunchFacts& dw;
  bool on_cpu() const { return main.block.x == 1; }
};

/// How the rows of a launch are divided.
struct Division {
  Index units = 0;          ///< rows of all heads
  Index strips = 0;         ///< each has a partial dw of its own
  Index column_blocks = 1;  ///< that each strip is done by
  std::size_t workspace_bytes = 0;
};

/// Strips of each of `groups` groups of `rows` rows. On a GPU as many as run at a time; on the CPU it depends
/// on the tensors only, so that results do too.
Index strips_per_group(const Entries& entries, int processors, Index rows, Index groups,
                       Index column_blocks) {
  const LaunchFacts& main = entries.main;
  if (entries.on_cpu()) {
    constexpr Index kStripsOnCpu = 128;
    return std::min(divide_up(rows, main.work_per_block), std::max<Index>(1, kStripsOnCpu / groups));
  }
  // A block that does columns holds less than one that does rows: kThreadsPerProcessor of
  // rms_norm_backward_cuda.cpp.
  const Index threads = entries.by_columns ? 2048 : 512;
  const Index at_a_time =
      processors * std::max<Index>(1, threads / static_cast<Index>(main.block.x)) / main.cluster.x;
  const Index rows_per_block = entries.by_columns ? 1 : main.work_per_block;
  return std::min(divide_up(rows, rows_per_block), std::max<Index>(1, at_a_time / groups / column_blocks));
}

Result<Division> divide(const RmsNormBackwardSpec& spec, const LaunchSite& site, Index rows) {
  constexpr Index kMaxRows = Index{1} << 46;  // beyond any memory; times heads it stays below 2^63
  if (rows < 0 || rows > kMaxRows) {
    return bad_argument(kOp, fmt::format("rows is {}, allowed are 0 to 2^46", rows));
  }
  const Entries entries(spec, site);
  Division division{.units = rows * spec.heads};
  if (rows == 0) return division;
  const Index groups = spec.weight_per_head ? spec.heads : 1;
  if (entries.by_columns) division.column_blocks = divide_up(spec.hidden_size, entries.main.work_per_block);
  division.strips = groups * strips_per_group(entries, site.processors, division.units / groups, groups,
                                              division.column_blocks);
  const Index partial = entries.on_cpu() ? partial_stride_on_cpu(spec) : spec.hidden_size;
  // At most 2^17 strips of 2^18 floats.
  if (spec.store_dw) division.workspace_bytes += static_cast<std::size_t>(division.strips * partial) * 4;
  constexpr std::size_t kBytesPerRow = 8;  // rstd and the mean product
  if (entries.by_columns) division.workspace_bytes += static_cast<std::size_t>(division.units) * kBytesPerRow;
  return division;
}

Result<void> check_rows(const RmsNormBackwardSpec& spec, const RowShape& shape, RmsNormBackwardArgs& args) {
  const RowTensor dy{"dy", spec.dtype, args.dy, &args.dy_row_stride, &args.dy_head_stride, false};
  const RowTensor x{"x", spec.dtype, args.x, &args.x_row_stride, &args.x_head_stride, false};
  LATHE_CHECK(resolve_row_tensor(shape, dy));
  LATHE_CHECK(resolve_row_tensor(shape, x));
  if (!spec.store_dx) return {};
  const RowTensor dx{"dx", spec.dtype, args.dx, &args.dx_row_stride, &args.dx_head_stride, true};
  LATHE_CHECK(resolve_row_tensor(shape, dx));
  LATHE_CHECK(check_in_place(kOp, dy, dx));
  LATHE_CHECK(check_in_place(kOp, x, dx));
  if (!spec.has_dresidual) return {};
  const RowTensor dresidual{
      "dresidual", spec.dtype, args.dresidual, &args.dresidual_row_stride, &args.dresidual_head_stride,
      false};
  LATHE_CHECK(resolve_row_tensor(shape, dresidual));
  return check_in_place(kOp, dresidual, dx);
}

/// What is per row or per column of the tensors.
Result<void> check_vectors(const RmsNormBackwardSpec& spec, const RowShape& shape,
                           const RmsNormBackwardArgs& args) {
  if (spec.has_weight && spec.store_dx) {
    LATHE_CHECK(check_pointer(kOp, "weight", args.weight, shape.alignment_of(*spec.weight_dtype)));
  }
  if (spec.load_rstd) return check_pointer(kOp, "rstd", args.rstd, sizeof(float));
  if (!std::isfinite(args.epsilon) || args.epsilon < 0) {
    return bad_argument(kOp, fmt::format("epsilon is {}, it must be finite and not negative", args.epsilon));
  }
  return {};
}

Result<Grids> grids_of(const RmsNormBackwardSpec& spec, const LaunchSite& site, const Division& division) {
  const Entries entries(spec, site);
  constexpr Index kMaxBlocks = 0x7FFFFFFF;
  if (entries.by_columns && division.units > kMaxBlocks) {
    return bad_argument(kOp,
                        fmt::format("rows * heads is {}, more than a grid of 2^31 - 1 takes", division.units),
                        "launch it in parts, the later ones with accumulate_dw");
  }
  const auto grid = [](Index blocks) { return Grid{.x = static_cast<std::uint64_t>(blocks)}; };
  Grids grids{};
  std::size_t next = 0;
  // dw alone needs none of the rows' sums if it has their rstd.
  if (entries.by_columns) grids[next++] = grid(spec.store_dx || !spec.load_rstd ? division.units : 0);
  grids[next++] = grid(division.strips * division.column_blocks * entries.main.cluster.x);
  const bool writes_dw = spec.store_dw && (division.units > 0 || !spec.accumulate_dw);
  const Index groups = spec.weight_per_head ? spec.heads : 1;
  if (writes_dw) grids[next] = grid(groups * divide_up(spec.hidden_size, entries.dw.work_per_block));
  return grids;
}

}  // namespace

Result<Grids> prepare_rms_norm_backward(const KernelSpec& any, const LaunchSite& site,
                                        std::span<std::byte> bytes) {
  const auto& spec = std::get<RmsNormBackwardSpec>(any);
  auto& args = *reinterpret_cast<RmsNormBackwardArgs*>(bytes.data());
  LATHE_TRY(const Division division, divide(spec, site, args.rows));
  args.strips = division.strips;
  if (spec.store_dw)
    LATHE_CHECK(check_pointer(kOp, "dw", args.dw, static_cast<std::int64_t>(size_of(*spec.dw_dtype))));
  if (args.rows > 0) {
    const RowShape shape{.op = kOp,
                         .rows = args.rows,
                         .heads = spec.heads,
                         .hidden = spec.hidden_size,
                         .dtype = spec.dtype,
                         .alignment = spec.alignment};
    LATHE_CHECK(check_rows(spec, shape, args));
    LATHE_CHECK(check_vectors(spec, shape, args));
    LATHE_CHECK(check_workspace(kOp, args.workspace, args.workspace_bytes, division.workspace_bytes));
  }
  return grids_of(spec, site, division);
}

Result<std::size_t> workspace_bytes_of_rms_norm_backward(const KernelSpec& any, const LaunchSite& site,
                                                         std::span<const std::byte> bytes) {
  const auto& args = *reinterpret_cast<const RmsNormBackwardArgs*>(bytes.data());
  LATHE_TRY(const Division division, divide(std::get<RmsNormBackwardSpec>(any), site, args.rows));
  return division.workspace_bytes;
}

}  // namespace lathe::codegen
