// The NVIDIA architectures that Lathe knows.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace lathe::codegen {

/// Source: the CUDA programming guide's tables of compute capabilities, checked with ptxas 13.0; sm_88:
/// cuda_occupancy.h of CUDA 13.0.
struct CudaArch {
  std::string_view name;              ///< "sm_90a"
  unsigned max_dynamic_shared_bytes;  ///< per block, after raising the attribute
  unsigned
      max_cluster;  ///< blocks that every device of the architecture can run in one cluster; 1: no clusters
  bool has_fp8_conversion;  ///< cvt between fp8 and fp16

  /// 80, 90, ...
  int number() const;
};

std::span<const CudaArch> cuda_archs();

/// nullptr for one that is not known.
const CudaArch* find_cuda_arch(std::string_view name);

/// "sm_80, sm_86, ...": for messages.
std::string cuda_arch_names();

}  // namespace lathe::codegen
