// The functions of NVRTC that Lathe uses, opened at run time. The declarations are our own, so that building
// needs no CUDA toolkit; NVRTC's C interface has been stable since CUDA 8.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <lathe/error.h>

namespace lathe::codegen {

using NvrtcProgram = struct NvrtcProgramHandle*;
using NvrtcStatus = int;
inline constexpr NvrtcStatus kNvrtcSuccess = 0;

/// Immutable once opened. The library stays loaded until the process ends. NVRTC itself is thread-safe.
struct NvrtcApi {
  NvrtcStatus (*version)(int* major, int* minor);
  NvrtcStatus (*create_program)(NvrtcProgram*, const char* source, const char* name, int headers,
                                const char* const* header_texts, const char* const* header_names);
  NvrtcStatus (*destroy_program)(NvrtcProgram*);
  NvrtcStatus (*compile_program)(NvrtcProgram, int options, const char* const* option_texts);
  NvrtcStatus (*get_log_size)(NvrtcProgram, std::size_t*);
  NvrtcStatus (*get_log)(NvrtcProgram, char*);
  NvrtcStatus (*get_ptx_size)(NvrtcProgram, std::size_t*);
  NvrtcStatus (*get_ptx)(NvrtcProgram, char*);
  NvrtcStatus (*get_cubin_size)(NvrtcProgram, std::size_t*);
  NvrtcStatus (*get_cubin)(NvrtcProgram, char*);
  NvrtcStatus (*get_arch_count)(int*);
  NvrtcStatus (*get_archs)(int*);
  const char* (*error_text)(NvrtcStatus);

  std::string path;      ///< as the loader found it
  std::string build_id;  ///< of the library file, hexadecimal; "size-<bytes>" of one that has none
  int major = 0;
  int minor = 0;

  std::shared_ptr<void> library;  ///< the loader's handle

  /// Opens `path`: a library, or a directory such as a toolkit's lib64 or a site-packages with NVIDIA's
  /// wheels. If it is empty: the usual names in the usual places. Errors: toolchain_missing with what was
  /// tried and why it did not do.
  static Result<std::shared_ptr<const NvrtcApi>> open(const std::string& path);
};

}  // namespace lathe::codegen
