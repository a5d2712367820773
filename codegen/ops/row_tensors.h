// Tensors of rows in launch arguments, [rows, heads, hidden]: checks of their pointers and strides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <lathe/args_base.h>
#include <lathe/dtype.h>
#include <lathe/error.h>

#include "codegen/ops/strided_rows.h"

namespace lathe::codegen {

/// What the tensors of one launch have in common.
struct RowShape {
  std::string_view op;  ///< for messages
  Index rows = 0;
  Index heads = 1;
  Index hidden = 1;
  DType dtype = f32;           ///< the spec's
  std::int64_t alignment = 1;  ///< the spec's: bytes of elements of that dtype

  /// Of a tensor of another dtype with accesses of as many elements; none is wider than 16 bytes.
  std::int64_t alignment_of(DType other) const;
};

/// A tensor of rows: its pointer and the two strides that go with it, which are filled in.
struct RowTensor {
  const char* name;
  DType dtype;
  const void* pointer;
  Index* row_stride;
  Index* head_stride;
  bool is_output;
};

/// Checks pointer and strides, after filling in those that are 0. Rows of an output must not share elements.
/// REQUIRES: shape.rows > 0, and rows * heads that does not overflow.
Result<void> resolve_row_tensor(const RowShape& shape, const RowTensor& tensor);

/// `to` may be `from` if every element is; anything else would read what it has overwritten.
Result<void> check_in_place(std::string_view op, const RowTensor& from, const RowTensor& to);

/// That the caller's workspace has the bytes that the op's workspace_bytes says. None needed: anything goes.
Result<void> check_workspace(std::string_view op, const void* workspace, Index given_bytes,
                             std::size_t needed);

}  // namespace lathe::codegen
