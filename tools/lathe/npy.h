// NumPy's .npy files: read, write, convert to and from the elements of a tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/dtype.h>
#include <lathe/error.h>

namespace lathe::tools {

/// Element types of files; little-endian, as NumPy writes them on the machines Lathe runs on.
enum class NpyType : std::uint8_t { f2, f4, f8, i4, i8, u1, b1 };

/// "<f4", "|u1", ...
std::string_view descr_of(NpyType type);
/// What NumPy calls it: "float32", "uint8", ...
std::string_view numpy_name_of(NpyType type);
std::size_t size_of(NpyType type);

/// An array as the file has it: C order, tightly packed.
struct NpyArray {
  NpyType type = NpyType::f4;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;

  std::int64_t element_count() const;
};

/// Parses the content of a file of version 1, 2 or 3. Errors: invalid_argument saying what was expected and
/// what came: not an .npy file, cut short, Fortran order, big-endian, an element type that is not one of
/// NpyType. `name` is how messages call the file.
Result<NpyArray> parse_npy(std::string_view content, std::string_view name);

/// The content of a file: version 1, or 2 when the header is longer than that allows.
std::string format_npy(const NpyArray& array);

/// Errors: io_failed naming path and reason, or those of parse_npy.
Result<NpyArray> read_npy(const std::string& path);
/// Replaces the file. Errors: io_failed naming path and reason.
Result<void> write_npy(const std::string& path, const NpyArray& array);

/// The array's elements as those of a tensor. A floating-point array of any width becomes a floating-point
/// dtype by one rounding to nearest even; integers and bytes must be of the very type, and booleans count as
/// bytes. Errors: invalid_argument naming expected and found.
Result<std::vector<std::byte>> to_elements(const NpyArray& array, DType dtype);

/// The other way: bf16, f16 and fp8 are widened to float32; everything else keeps its type.
NpyArray from_elements(DType dtype, std::vector<std::int64_t> shape, std::vector<std::byte> elements);

/// "[8, 4096]".
std::string format_shape(const std::vector<std::int64_t>& shape);

}  // namespace lathe::tools
