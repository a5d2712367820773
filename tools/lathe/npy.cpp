#include "tools/lathe/npy.h"

#include <array>
#include <cstring>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/base/try.h"
#include "tools/lathe/elements.h"
#include "tools/lathe/files.h"
#include "tools/lathe/npy_header.h"

namespace lathe::tools {

namespace {

struct TypeRow {
  NpyType type;
  std::string_view descr;
  std::string_view numpy_name;
  std::size_t size;
};

constexpr std::array kTypes{
    TypeRow{NpyType::f2, "<f2", "float16", 2}, TypeRow{NpyType::f4, "<f4", "float32", 4},
    TypeRow{NpyType::f8, "<f8", "float64", 8}, TypeRow{NpyType::i4, "<i4", "int32", 4},
    TypeRow{NpyType::i8, "<i8", "int64", 8},   TypeRow{NpyType::u1, "|u1", "uint8", 1},
    TypeRow{NpyType::b1, "|b1", "bool", 1}};

const TypeRow& row_of(NpyType type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return row;
  }
  return kTypes[0];  // unreachable: every enumerator has a row
}

Error bad_file(std::string_view name, const std::string& what, std::string hint) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::api,
          .message = fmt::format("{}: {}", name, what),
          .hint = std::move(hint)};
}

Result<NpyType> type_of(std::string_view descr, std::string_view name) {
  for (const TypeRow& row : kTypes) {
    // One byte has no order: NumPy writes '|', but '<' means the same.
    const bool is_byte = row.size == 1;
    if (descr == row.descr || (is_byte && descr.size() == 3 && descr.substr(1) == row.descr.substr(1))) {
      return row.type;
    }
  }
  if (descr.starts_with('>')) {
    return bad_file(name, fmt::format("elements are big-endian ({})", descr),
                    "save it little-endian: array.astype(array.dtype.newbyteorder('<'))");
  }
  return bad_file(name, fmt::format("element type {} is not one of <f2, <f4, <f8, <i4, <i8, |u1, |b1", descr),
                  "convert it before saving; bf16 and fp8 tensors are given as float32");
}

/// The product of the extents, or nothing when it does not fit.
std::optional<std::int64_t> count_of(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count)) return std::nullopt;
  }
  return count;
}

double number_at(NpyType type, const std::byte* at) {
  if (type == NpyType::f8) {
    double value = 0;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  return load_element(type == NpyType::f2 ? f16 : f32, at);
}

bool is_floating(NpyType type) {
  return type == NpyType::f2 || type == NpyType::f4 || type == NpyType::f8;
}

/// The only file type that holds an integer dtype.
NpyType integer_type_of(DType dtype) {
  if (dtype == i32) return NpyType::i4;
  return dtype == i64 ? NpyType::i8 : NpyType::u1;
}

}  // namespace

std::string_view descr_of(NpyType type) {
  return row_of(type).descr;
}
std::string_view numpy_name_of(NpyType type) {
  return row_of(type).numpy_name;
}
std::size_t size_of(NpyType type) {
  return row_of(type).size;
}

std::int64_t NpyArray::element_count() const {
  return count_of(shape).value_or(0);
}

std::string format_shape(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

Result<NpyArray> parse_npy(std::string_view content, std::string_view name) {
  LATHE_TRY(const NpyHeader header, parse_npy_header(content, name));
  if (header.is_fortran_order) {
    return bad_file(name, "the array is in Fortran order", "save numpy.ascontiguousarray(array)");
  }
  NpyArray array;
  LATHE_TRY(array.type, type_of(header.descr, name));
  array.shape = header.shape;
  const auto count = count_of(array.shape);
  std::int64_t bytes = 0;
  if (!count || __builtin_mul_overflow(*count, static_cast<std::int64_t>(size_of(array.type)), &bytes)) {
    return bad_file(name, fmt::format("the shape {} is not possible", format_shape(array.shape)),
                    "save the array again");
  }
  const std::string_view data = content.substr(header.size);
  if (data.size() != static_cast<std::size_t>(bytes)) {
    return bad_file(name,
                    fmt::format("{} elements of {} need {} bytes, the file has {}", *count,
                                numpy_name_of(array.type), bytes, data.size()),
                    "the file was cut short or changed; save the array again");
  }
  const auto* begin = reinterpret_cast<const std::byte*>(data.data());
  array.bytes.assign(begin, begin + data.size());
  return array;
}

std::string format_npy(const NpyArray& array) {
  std::string content = format_npy_header({.descr = std::string(descr_of(array.type)), .shape = array.shape});
  content.append(reinterpret_cast<const char*>(array.bytes.data()), array.bytes.size());
  return content;
}

Result<NpyArray> read_npy(const std::string& path) {
  LATHE_TRY(const std::string content, read_file(path));
  return parse_npy(content, path);
}

Result<void> write_npy(const std::string& path, const NpyArray& array) {
  return write_file(path, format_npy(array));
}

Result<std::vector<std::byte>> to_elements(const NpyArray& array, DType dtype) {
  if (!tools::is_floating(dtype)) {
    const NpyType wanted = integer_type_of(dtype);
    const bool fits = array.type == wanted || (dtype == u8 && array.type == NpyType::b1);
    if (fits) return array.bytes;
    return Error{.code = ErrorCode::invalid_argument,
                 .stage = Stage::api,
                 .message = fmt::format("expected an array of {}, found {}", numpy_name_of(wanted),
                                        numpy_name_of(array.type)),
                 .hint = fmt::format("save array.astype(numpy.{})", numpy_name_of(wanted))};
  }
  if (!is_floating(array.type)) {
    return Error{.code = ErrorCode::invalid_argument,
                 .stage = Stage::api,
                 .message = fmt::format("expected a floating-point array for {}, found {}", name_of(dtype),
                                        numpy_name_of(array.type)),
                 .hint = "save array.astype(numpy.float32)"};
  }
  const bool same_bits =
      (array.type == NpyType::f4 && dtype == f32) || (array.type == NpyType::f2 && dtype == f16);
  if (same_bits) return array.bytes;  // NaN payloads included
  const std::size_t step = size_of(array.type);
  const std::size_t width = lathe::size_of(dtype);
  const std::size_t count = array.bytes.size() / step;
  std::vector<std::byte> elements(count * width);
  for (std::size_t i = 0; i < count; ++i) {
    store_element(dtype, number_at(array.type, array.bytes.data() + i * step), elements.data() + i * width);
  }
  return elements;
}

NpyArray from_elements(DType dtype, std::vector<std::int64_t> shape, std::vector<std::byte> elements) {
  NpyArray array{.type = NpyType::f4, .shape = std::move(shape), .bytes = {}};
  if (!tools::is_floating(dtype)) array.type = integer_type_of(dtype);
  if (!tools::is_floating(dtype) || dtype == f32) {
    array.bytes = std::move(elements);
    return array;
  }
  const std::size_t width = lathe::size_of(dtype);
  const std::size_t count = elements.size() / width;
  array.bytes.resize(count * sizeof(float));
  for (std::size_t i = 0; i < count; ++i) {
    const double value = load_element(dtype, elements.data() + i * width);
    store_element(f32, value, array.bytes.data() + i * sizeof(float));
  }
  return array;
}

}  // namespace lathe::tools
