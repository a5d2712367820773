#include "codegen/ops/row_tensors.h"

#include <algorithm>
#include <cstddef>

#include <fmt/format.h>

#include "runtime/base/try.h"

namespace lathe::codegen {

std::int64_t RowShape::alignment_of(DType other) const {
  const std::int64_t elements = alignment / static_cast<std::int64_t>(size_of(dtype));
  return std::min<std::int64_t>(16, elements * static_cast<std::int64_t>(size_of(other)));
}

Result<void> resolve_row_tensor(const RowShape& shape, const RowTensor& tensor) {
  const Index alignment = shape.alignment_of(tensor.dtype);
  LATHE_CHECK(check_pointer(shape.op, tensor.name, tensor.pointer, alignment));
  const RowAxis axes[] = {{"row", shape.rows, tensor.row_stride}, {"head", shape.heads, tensor.head_stride}};
  return resolve_rows({.op = shape.op,
                       .name = tensor.name,
                       .dim = shape.hidden,
                       .element_bytes = static_cast<Index>(size_of(tensor.dtype)),
                       .alignment = alignment,
                       .spec_element_bytes = static_cast<Index>(size_of(shape.dtype)),
                       .is_output = tensor.is_output,
                       .axes = axes});
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
