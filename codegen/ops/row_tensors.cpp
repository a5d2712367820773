#include "codegen/ops/row_tensors.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

/// A stride that is used: not negative, and a multiple of the alignment.
Result<void> check_stride(const RowShape& shape, const RowTensor& tensor, const char* axis, Index stride) {
  if (stride < 0) {
    return bad_argument(shape.op, fmt::format("{}_{}_stride is {}, negative strides are not supported",
                                              tensor.name, axis, stride));
  }
  const std::size_t element = size_of(tensor.dtype);
  const std::int64_t alignment = shape.alignment_of(tensor.dtype);
  // Wraps around for strides beyond any memory, which does not change the remainder.
  const std::uint64_t bytes = static_cast<std::uint64_t>(stride) * element;
  if (bytes % static_cast<std::uint64_t>(alignment) == 0) return {};
  const std::uint64_t possible = (bytes & (~bytes + 1)) / element * size_of(shape.dtype);
  return bad_argument(shape.op,
                      fmt::format("{}_{}_stride is {} elements of {} bytes, not a multiple of {} bytes",
                                  tensor.name, axis, stride, element, alignment),
                      fmt::format("pad the rows, or compile the kernel with alignment={}", possible));
}

/// The bytes from the first element to behind the last, or nothing if no address space holds them.
std::optional<Index> extent_bytes(const RowShape& shape, DType dtype, Index row, Index head) {
  Index rows_extent = 0;
  Index heads_extent = 0;
  Index elements = 0;
  Index bytes = 0;
  const bool overflows = __builtin_mul_overflow(shape.rows - 1, row, &rows_extent) ||
                         __builtin_mul_overflow(shape.heads - 1, head, &heads_extent) ||
                         __builtin_add_overflow(rows_extent, heads_extent, &elements) ||
                         __builtin_add_overflow(elements, shape.hidden, &elements) ||
                         __builtin_mul_overflow(elements, static_cast<Index>(size_of(dtype)), &bytes);
  return overflows ? std::nullopt : std::optional(bytes);
}

/// Whether no two rows share an element: all heads of a token lie within one step of the row stride, or all
/// tokens of a head within one step of the head stride. REQUIRES: an extent that does not overflow.
bool rows_are_apart(const RowShape& shape, Index row, Index head) {
  const Index hidden = shape.hidden;
  if (shape.rows == 1) return shape.heads == 1 || head >= hidden;
  if (shape.heads == 1) return row >= hidden;
  return (head >= hidden && row >= (shape.heads - 1) * head + hidden) ||
         (row >= hidden && head >= (shape.rows - 1) * row + hidden);
}

}  // namespace

std::int64_t RowShape::alignment_of(DType other) const {
  const std::int64_t elements = alignment / static_cast<std::int64_t>(size_of(dtype));
  return std::min<std::int64_t>(16, elements * static_cast<std::int64_t>(size_of(other)));
}

Error bad_argument(std::string_view op, std::string message, std::string hint) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::launch,
          .message = fmt::format("{}: {}", op, message),
          .hint = std::move(hint)};
}

Result<void> check_pointer(std::string_view op, const char* name, const void* pointer,
                           std::int64_t alignment) {
  if (pointer == nullptr)
    return bad_argument(op, fmt::format("{} is null", name), "the spec says that it is used");
  if (reinterpret_cast<std::uintptr_t>(pointer) % static_cast<std::uint64_t>(alignment) != 0) {
    return bad_argument(op, fmt::format("{} is {}, not a multiple of {} bytes", name, pointer, alignment),
                        "give the spec the alignment that holds for all tensors and strides");
  }
  return {};
}

Result<void> resolve_row_tensor(const RowShape& shape, const RowTensor& tensor) {
  LATHE_CHECK(check_pointer(shape.op, tensor.name, tensor.pointer, shape.alignment_of(tensor.dtype)));
  Index& row = *tensor.row_stride;
  Index& head = *tensor.head_stride;
  // Of a single row or head the stride is never used, and frameworks put anything there.
  if (head == 0 || shape.heads == 1) head = shape.hidden;
  if (shape.rows == 1) row = shape.heads * shape.hidden;
  if (shape.heads > 1) LATHE_CHECK(check_stride(shape, tensor, "head", head));
  const bool overflows = row == 0 && __builtin_mul_overflow(shape.heads, head, &row);
  if (shape.rows > 1 && !overflows) LATHE_CHECK(check_stride(shape, tensor, "row", row));
  if (overflows || !extent_bytes(shape, tensor.dtype, row, head)) {
    return bad_argument(shape.op,
                        fmt::format("{}: {} rows with strides of {} and {} elements exceed 2^63 bytes",
                                    tensor.name, shape.rows, row, head),
                        "strides count elements; a stride of 0 means tightly packed");
  }
  if (tensor.is_output && !rows_are_apart(shape, row, head)) {
    return bad_argument(shape.op,
                        fmt::format("{}: strides of {} and {} elements make rows of {} overlap", tensor.name,
                                    row, head, shape.hidden),
                        "a stride of 0 means tightly packed");
  }
  return {};
}

Result<void> check_in_place(std::string_view op, const RowTensor& from, const RowTensor& to) {
  if (from.pointer != to.pointer) return {};
  if (from.dtype != to.dtype) {
    return bad_argument(op,
                        fmt::format("{} is {}, but has elements of {} against {}", to.name, from.name,
                                    name_of(to.dtype), name_of(from.dtype)),
                        "in place needs the same dtype");
  }
  if (*from.row_stride == *to.row_stride && *from.head_stride == *to.head_stride) return {};
  return bad_argument(
      op,
      fmt::format("{} is {}, but their strides are {} and {} against {} and {} elements", to.name, from.name,
                  *to.row_stride, *to.head_stride, *from.row_stride, *from.head_stride),
      "in place needs the same strides");
}

Result<void> check_workspace(std::string_view op, const void* workspace, Index given_bytes,
                             std::size_t needed) {
  if (needed == 0) return {};
  if (given_bytes < 0 || static_cast<std::uint64_t>(given_bytes) < needed) {
    return bad_argument(op, fmt::format("workspace_bytes is {}, this launch needs {}", given_bytes, needed),
                        "allocate what Kernel::workspace_bytes() says for these arguments");
  }
  constexpr std::int64_t kAlignment = 16;
  return check_pointer(op, "workspace", workspace, kAlignment);
}

}  // namespace lathe::codegen
