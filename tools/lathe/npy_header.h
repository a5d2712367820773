// The header of an .npy file.
//
// "\x93NUMPY", major and minor version, length of the text (2 bytes little-endian in version 1, 4 in 2 and
// 3), then a Python dictionary literal with exactly the keys 'descr', 'fortran_order' and 'shape', padded
// with blanks and ended by a newline so that the data start at a multiple of 64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/error.h>

namespace lathe::tools {

struct NpyHeader {
  std::string descr;
  std::vector<std::int64_t> shape;
  bool is_fortran_order = false;
  std::size_t size = 0;  ///< bytes before the data
};

/// Errors: invalid_argument, calling the file `name`.
Result<NpyHeader> parse_npy_header(std::string_view content, std::string_view name);

/// C order whatever the header says, since nothing else is written.
std::string format_npy_header(const NpyHeader& header);

}  // namespace lathe::tools
