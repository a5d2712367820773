// What a launch of rms_norm is checked for, and how large its grid is.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "codegen/ops/rms_norm.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

Error bad_argument(std::string message, std::string hint = {}) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::launch,
          .message = "rms_norm: " + std::move(message),
          .hint = std::move(hint)};
}

/// A tensor of rows: its pointer and the two strides that go with it, which are filled in.
struct Rows {
  const char* name;
  const void* pointer;
  Index* row_stride;
  Index* head_stride;
  bool is_output;
};

Result<void> check_pointer(const char* name, const void* pointer, std::int64_t alignment) {
  if (pointer == nullptr)
    return bad_argument(fmt::format("{} is null", name), "the spec says that it is used");
  if (reinterpret_cast<std::uintptr_t>(pointer) % static_cast<std::uint64_t>(alignment) != 0) {
    return bad_argument(fmt::format("{} is {}, not a multiple of {} bytes", name, pointer, alignment),
                        "give the spec the alignment that holds for all tensors and strides");
  }
  return {};
}

/// A stride that is used: not negative, and a multiple of the alignment.
Result<void> check_stride(const RmsNormSpec& spec, const char* tensor, const char* axis, Index stride) {
  if (stride < 0) {
    return bad_argument(
        fmt::format("{}_{}_stride is {}, negative strides are not supported", tensor, axis, stride));
  }
  // Wraps around for strides beyond any memory, which does not change the remainder.
  const std::uint64_t bytes = static_cast<std::uint64_t>(stride) * size_of(spec.dtype);
  if (bytes % static_cast<std::uint64_t>(spec.alignment) == 0) return {};
  return bad_argument(
      fmt::format("{}_{}_stride is {} elements of {} bytes, not a multiple of {} bytes", tensor, axis, stride,
                  size_of(spec.dtype), spec.alignment),
      fmt::format("pad the rows, or compile the kernel with alignment={}", bytes & (~bytes + 1)));
}

/// The bytes from the first element to behind the last, or nothing if no address space holds them.
std::optional<Index> extent_bytes(const RmsNormSpec& spec, Index rows, Index row, Index head) {
  Index rows_extent = 0;
  Index heads_extent = 0;
  Index elements = 0;
  Index bytes = 0;
  const bool overflows = __builtin_mul_overflow(rows - 1, row, &rows_extent) ||
                         __builtin_mul_overflow(spec.heads - 1, head, &heads_extent) ||
                         __builtin_add_overflow(rows_extent, heads_extent, &elements) ||
                         __builtin_add_overflow(elements, spec.hidden_size, &elements) ||
                         __builtin_mul_overflow(elements, static_cast<Index>(size_of(spec.dtype)), &bytes);
  return overflows ? std::nullopt : std::optional(bytes);
}

/// Whether no two rows share an element: all heads of a token lie within one step of the row stride, or all
/// tokens of a head within one step of the head stride. REQUIRES: an extent that does not overflow.
bool rows_are_apart(const RmsNormSpec& spec, Index rows, Index row, Index head) {
  const Index hidden = spec.hidden_size;
  if (rows == 1) return spec.heads == 1 || head >= hidden;
  if (spec.heads == 1) return row >= hidden;
  return (head >= hidden && row >= (spec.heads - 1) * head + hidden) ||
         (row >= hidden && head >= (rows - 1) * row + hidden);
}

Result<void> resolve_strides(const RmsNormSpec& spec, Index rows, const Rows& tensor) {
  Index& row = *tensor.row_stride;
  Index& head = *tensor.head_stride;
  // Of a single row or head the stride is never used, and frameworks put anything there.
  if (head == 0 || spec.heads == 1) head = spec.hidden_size;
  if (rows == 1) row = spec.heads * spec.hidden_size;
  if (spec.heads > 1) LATHE_CHECK(check_stride(spec, tensor.name, "head", head));
  const bool overflows = row == 0 && __builtin_mul_overflow(spec.heads, head, &row);
  if (rows > 1 && !overflows) LATHE_CHECK(check_stride(spec, tensor.name, "row", row));
  if (overflows || !extent_bytes(spec, rows, row, head)) {
    return bad_argument(fmt::format("{}: {} rows with strides of {} and {} elements exceed 2^63 bytes",
                                    tensor.name, rows, row, head),
                        "strides count elements; a stride of 0 means tightly packed");
  }
  if (tensor.is_output && !rows_are_apart(spec, rows, row, head)) {
    return bad_argument(fmt::format("{}: strides of {} and {} elements make rows of {} overlap", tensor.name,
                                    row, head, spec.hidden_size),
                        "a stride of 0 means tightly packed");
  }
  return {};
}

/// In place is fine if every element is; anything else would read what it has overwritten.
Result<void> check_in_place(const Rows& from, const Rows& to) {
  if (from.pointer != to.pointer ||
      (*from.row_stride == *to.row_stride && *from.head_stride == *to.head_stride)) {
    return {};
  }
  return bad_argument(
      fmt::format("{} is {}, but their strides are {} and {} against {} and {} elements", to.name, from.name,
                  *to.row_stride, *to.head_stride, *from.row_stride, *from.head_stride),
      "in place needs the same strides");
}

Result<void> check_tensors(const RmsNormSpec& spec, RmsNormArgs& args) {
  const bool has_residual = spec.residual != Residual::none;
  const Rows x{"x", args.x, &args.x_row_stride, &args.x_head_stride, false};
  const Rows y{"y", args.y, &args.y_row_stride, &args.y_head_stride, true};
  const Rows in{"residual_in", args.residual_in, &args.residual_in_row_stride, &args.residual_in_head_stride,
                false};
  const Rows out{"residual_out", args.residual_out, &args.residual_out_row_stride,
                 &args.residual_out_head_stride, true};
  const Rows* const tensors[] = {&x, &y, &in, &out};
  for (const Rows* tensor : std::span(tensors).first(has_residual ? 4 : 2)) {
    LATHE_CHECK(check_pointer(tensor->name, tensor->pointer, spec.alignment));
    LATHE_CHECK(resolve_strides(spec, args.rows, *tensor));
  }
  LATHE_CHECK(check_in_place(x, y));
  if (has_residual) {
    LATHE_CHECK(check_in_place(in, out));
    if (args.y == args.residual_out) {
      return bad_argument("y and residual_out are the same memory", "each receives a result of its own");
    }
  }
  if (spec.has_weight) {
    // As many elements per access as for x.
    const std::int64_t elements = spec.alignment / static_cast<std::int64_t>(size_of(spec.dtype));
    const std::int64_t bytes = elements * static_cast<std::int64_t>(size_of(*spec.weight_dtype));
    LATHE_CHECK(check_pointer("weight", args.weight, std::min<std::int64_t>(16, bytes)));
  }
  if (spec.store_rstd) LATHE_CHECK(check_pointer("rstd", args.rstd, sizeof(float)));
  return {};
}

constexpr Index kMaxRows = Index{1} << 46;  // beyond any memory; times heads it stays below 2^63

/// The strides of the tensors that the spec has, and of axes that it has.
void append_strides(const RmsNormSpec& spec, std::vector<Argument>& arguments) {
  struct Stride {
    std::string_view name;
    std::size_t offset;
    bool is_of_residual;
    bool is_of_heads;
  };
  using A = RmsNormArgs;
  constexpr Stride kStrides[] = {
      {"x_row_stride", offsetof(A, x_row_stride), false, false},
      {"y_row_stride", offsetof(A, y_row_stride), false, false},
      {"residual_in_row_stride", offsetof(A, residual_in_row_stride), true, false},
      {"residual_out_row_stride", offsetof(A, residual_out_row_stride), true, false},
      {"x_head_stride", offsetof(A, x_head_stride), false, true},
      {"y_head_stride", offsetof(A, y_head_stride), false, true},
      {"residual_in_head_stride", offsetof(A, residual_in_head_stride), true, true},
      {"residual_out_head_stride", offsetof(A, residual_out_head_stride), true, true}};
  for (const Stride& stride : kStrides) {
    if (stride.is_of_residual && spec.residual == Residual::none) continue;
    if (stride.is_of_heads && spec.heads == 1) continue;
    arguments.push_back(
        {stride.name, ArgumentKind::scalar, i64, stride.offset, {}, "elements; 0: tightly packed", false});
  }
}

}  // namespace

Result<Grids> prepare_rms_norm(const KernelSpec& any, const LaunchSite& site, std::span<std::byte> bytes) {
  const auto& spec = std::get<RmsNormSpec>(any);
  auto& args = *reinterpret_cast<RmsNormArgs*>(bytes.data());
  if (args.rows < 0 || args.rows > kMaxRows) {
    return bad_argument(fmt::format("rows is {}, allowed are 0 to 2^46", args.rows));
  }
  if (!std::isfinite(args.epsilon) || args.epsilon < 0) {
    return bad_argument(fmt::format("epsilon is {}, it must be finite and not negative", args.epsilon));
  }
  if (args.rows == 0) return Grids{};
  LATHE_CHECK(check_tensors(spec, args));
  const Index units = args.rows * spec.heads;
  const LaunchFacts& launch = site.entries.front().launch;
  const auto blocks =
      static_cast<std::uint64_t>((units + launch.work_per_block - 1) / launch.work_per_block) *
      launch.cluster.x;
  constexpr std::uint64_t kMaxBlocks = 0x7FFFFFFF;
  if (blocks > kMaxBlocks) {
    return bad_argument(
        fmt::format("rows is {}, {} blocks, more than a grid of 2^31 - 1 takes", args.rows, blocks),
        "launch it in parts");
  }
  return Grids{Grid{.x = blocks}};
}

std::vector<Argument> arguments_of_rms_norm(const KernelSpec& any) {
  const auto& spec = std::get<RmsNormSpec>(any);
  const std::vector<Extent> rows{{0, "rows"}, {spec.heads}, {spec.hidden_size}};
  using A = RmsNormArgs;
  using enum ArgumentKind;
  std::vector<Argument> arguments{{"x", input, spec.dtype, offsetof(A, x), rows, "what is normalised"},
                                  {"y", output, spec.dtype, offsetof(A, y), rows, "the result; may be x"}};
  if (spec.has_weight) {
    arguments.push_back({"weight",
                         input,
                         spec.weight_dtype.value_or(spec.dtype),
                         offsetof(A, weight),
                         {{spec.hidden_size}},
                         "one per element of a row"});
  }
  if (spec.residual != Residual::none) {
    arguments.push_back(
        {"residual_in", input, spec.dtype, offsetof(A, residual_in), rows, "added to x first"});
    arguments.push_back(
        {"residual_out", output, spec.dtype, offsetof(A, residual_out), rows, "the sum; may be residual_in"});
  }
  if (spec.store_rstd) {
    arguments.push_back(
        {"rstd", output, f32, offsetof(A, rstd), {{0, "rows"}, {spec.heads}}, "1 / sqrt(mean + epsilon)"});
  }
  arguments.push_back({"rows", scalar, i64, offsetof(A, rows), {}, "tokens", false});
  arguments.push_back(
      {"epsilon", scalar, f32, offsetof(A, epsilon), {}, "added to the mean square; default 1e-6", false});
  append_strides(spec, arguments);
  return arguments;
}

}  // namespace lathe::codegen
