// Tensors of rows at any strides: filled in, and checked for what a kernel relies on.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <lathe/args_base.h>
#include <lathe/error.h>

namespace lathe::codegen {

/// One axis of a tensor; the innermost, of contiguous elements, is not among them.
struct RowAxis {
  std::string_view name;  ///< as in the stride's name: "token"
  Index count = 0;
  Index* stride = nullptr;
};

struct StridedRows {
  std::string_view op;  ///< for messages
  std::string_view name;
  Index dim = 0;  ///< elements of a row
  Index element_bytes = 0;
  Index alignment = 1;              ///< bytes, of the pointer and of every stride
  Index spec_element_bytes = 1;     ///< of the dtype that the spec's alignment is about, for hints
  bool is_output = false;           ///< then no two rows may share an element
  std::span<const RowAxis> axes{};  ///< outermost first
};

/// Fills in strides of 0, outwards from the innermost axis: the least that keeps this axis and those within
/// apart. Of an axis with one element the stride is never used; frameworks put anything there, and it becomes
/// the packed one. Errors: invalid_argument for a stride that is negative or not a multiple of the alignment,
/// for rows of an output that overlap, for an extent beyond 2^63 bytes. REQUIRES: no count is 0.
Result<void> resolve_rows(const StridedRows& rows);

/// invalid_argument: "OP: MESSAGE".
Error bad_argument(std::string_view op, std::string message, std::string hint = {});

/// Errors: invalid_argument for null and for an address that is not a multiple of the alignment.
Result<void> check_pointer(std::string_view op, std::string_view name, const void* pointer, Index alignment);

}  // namespace lathe::codegen
