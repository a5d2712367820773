#include "codegen/ops/strided_rows.h"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

Error too_large(const StridedRows& rows) {
  std::string text;
  for (const RowAxis& axis : rows.axes)
    text +=
        fmt::format("{}{} {}s of stride {}", text.empty() ? "" : ", ", axis.count, axis.name, *axis.stride);
  return bad_argument(rows.op, fmt::format("{}: {} exceed 2^63 bytes", rows.name, text),
                      "strides count elements; a stride of 0 means tightly packed");
}

Result<void> check_stride(const StridedRows& rows, const RowAxis& axis) {
  if (*axis.stride < 0) {
    return bad_argument(rows.op, fmt::format("{}_{}_stride is {}, negative strides are not supported",
                                             rows.name, axis.name, *axis.stride));
  }
  // Wraps around for strides beyond any memory, which does not change the remainder.
  const std::uint64_t bytes =
      static_cast<std::uint64_t>(*axis.stride) * static_cast<std::uint64_t>(rows.element_bytes);
  if (bytes % static_cast<std::uint64_t>(rows.alignment) == 0) return {};
  const auto element = static_cast<std::uint64_t>(rows.element_bytes);
  const std::uint64_t possible =
      (bytes & (~bytes + 1)) / element * static_cast<std::uint64_t>(rows.spec_element_bytes);
  return bad_argument(rows.op,
                      fmt::format("{}_{}_stride is {} elements of {} bytes, not a multiple of {} bytes",
                                  rows.name, axis.name, *axis.stride, rows.element_bytes, rows.alignment),
                      fmt::format("pad the rows, or compile the kernel with alignment={}", possible));
}

/// Elements from the first to behind the last of `axes`; nothing: more than any address space holds.
std::optional<Index> extent_of(const StridedRows& rows, std::span<const RowAxis> axes) {
  Index extent = rows.dim;
  for (const RowAxis& axis : axes) {
    Index length = 0;
    if (__builtin_mul_overflow(axis.count - 1, *axis.stride, &length) ||
        __builtin_add_overflow(extent, length, &extent))
      return std::nullopt;
  }
  Index bytes = 0;
  if (__builtin_mul_overflow(extent, rows.element_bytes, &bytes)) return std::nullopt;
  return extent;
}

/// Whether no two rows share an element, as far as strides can tell: from the smallest stride to the largest,
/// each steps over all that is within.
bool rows_are_apart(const StridedRows& rows) {
  Index extent = rows.dim;
  unsigned done = 0;  // a bit per axis
  for (std::size_t step = 0; step < rows.axes.size(); ++step) {
    std::size_t next = 0;
    while ((done >> next & 1U) != 0) ++next;
    for (std::size_t i = next + 1; i < rows.axes.size(); ++i) {
      if ((done >> i & 1U) == 0 && *rows.axes[i].stride < *rows.axes[next].stride) next = i;
    }
    done |= 1U << next;
    const RowAxis& axis = rows.axes[next];
    if (axis.count == 1) continue;
    if (*axis.stride < extent) return false;
    extent += (axis.count - 1) * *axis.stride;
  }
  return true;
}

}  // namespace

Error bad_argument(std::string_view op, std::string message, std::string hint) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::launch,
          .message = fmt::format("{}: {}", op, message),
          .hint = std::move(hint)};
}

Result<void> check_pointer(std::string_view op, std::string_view name, const void* pointer, Index alignment) {
  if (pointer == nullptr)
    return bad_argument(op, fmt::format("{} is null", name), "the spec says that it is used");
  if (reinterpret_cast<std::uintptr_t>(pointer) % static_cast<std::uint64_t>(alignment) != 0) {
    return bad_argument(op, fmt::format("{} is {}, not a multiple of {} bytes", name, pointer, alignment),
                        "give the spec the alignment that holds for all tensors and strides");
  }
  return {};
}

Result<void> resolve_rows(const StridedRows& rows) {
  for (std::size_t i = rows.axes.size(); i-- > 0;) {
    const RowAxis& axis = rows.axes[i];
    const bool is_given = *axis.stride != 0 && axis.count > 1;
    if (!is_given) {
      // The least that keeps all within apart: whole steps of the axis within that strides farthest.
      Index packed = rows.dim;
      for (const RowAxis& within : rows.axes.subspan(i + 1)) {
        Index steps = 0;
        if (__builtin_mul_overflow(within.count, *within.stride, &steps)) return too_large(rows);
        packed = std::max(packed, steps);
      }
      *axis.stride = packed;
    }
    // Packed rows, too: the spec may promise more than they have.
    if (axis.count > 1) LATHE_CHECK(check_stride(rows, axis));
  }
  if (!extent_of(rows, rows.axes)) return too_large(rows);
  if (!rows.is_output || rows_are_apart(rows)) return {};
  std::string strides;
  for (const RowAxis& axis : rows.axes)
    strides += fmt::format("{}{}", strides.empty() ? "" : " and ", *axis.stride);
  return bad_argument(
      rows.op,
      fmt::format("{}: strides of {} elements make rows of {} overlap", rows.name, strides, rows.dim),
      "a stride of 0 means tightly packed");
}

}  // namespace lathe::codegen
