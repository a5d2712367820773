// Tensor maps as the driver encodes them.
#pragma once

#include <lathe/error.h>

#include "runtime/cuda/driver_api.h"
#include "runtime/tensor_map.h"

namespace lathe::runtime::cuda {

/// Encodes on the host; no stream or device memory is touched. Errors: those of check_tensor_map(), and what
/// the driver refuses all the same.
Result<runtime::TensorMap> encode_tensor_map(const DriverApi& api, const TensorMapSpec& spec);

}  // namespace lathe::runtime::cuda
