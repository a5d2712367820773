#include <lathe/tensor_view.h>

#include <optional>

namespace lathe::detail {

namespace {

// DLDataTypeCode
constexpr int kInt = 0, kUInt = 1, kFloat = 2, kBfloat = 4, kFloat8E4M3Fn = 10, kFloat8E5M2 = 12;
// DLDeviceType: main memory, CUDA, pinned memory, managed memory
constexpr int kCpu = 1, kCuda = 2, kCudaHost = 3, kCudaManaged = 13;

std::optional<DType> dtype_of(int code, int bits) {
  struct Row {
    int code, bits;
    DType dtype;
  };
  constexpr Row kRows[] = {{kFloat, 32, f32},        {kFloat, 16, f16},      {kBfloat, 16, bf16},
                           {kFloat8E4M3Fn, 8, e4m3}, {kFloat8E5M2, 8, e5m2}, {kInt, 32, i32},
                           {kInt, 64, i64},          {kUInt, 8, u8}};
  for (const Row& row : kRows) {
    if (row.code == code && row.bits == bits) return row.dtype;
  }
  return std::nullopt;
}

Error refused(std::string message, std::string hint) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::api,
          .message = "DLPack tensor: " + std::move(message),
          .hint = std::move(hint)};
}

}  // namespace

Result<TensorView> tensor_view_from(const DlTensorFields& fields) {
  const auto dtype = dtype_of(fields.type_code, fields.type_bits);
  if (!dtype || fields.type_lanes != 1) {
    return refused("element type code " + std::to_string(fields.type_code) + ", " +
                       std::to_string(fields.type_bits) + " bits, " + std::to_string(fields.type_lanes) +
                       " lanes",
                   "Lathe takes f32, f16, bf16, e4m3fn, e5m2, i32, i64 and u8, with one lane");
  }
  if (fields.ndim < 0 || fields.ndim > TensorView::kMaxRank) {
    return refused("rank " + std::to_string(fields.ndim), "Lathe takes ranks 0 to 8");
  }
  const bool on_gpu = fields.device_type == kCuda || fields.device_type == kCudaManaged;
  if (!on_gpu && fields.device_type != kCpu && fields.device_type != kCudaHost) {
    return refused("device type " + std::to_string(fields.device_type), "Lathe takes CPU and CUDA memory");
  }
  TensorView view{.data = static_cast<std::byte*>(fields.data) + fields.byte_offset,
                  .dtype = *dtype,
                  .rank = fields.ndim,
                  .on_gpu = on_gpu};
  std::int64_t packed = 1;
  for (int i = fields.ndim - 1; i >= 0; --i) {
    const auto axis = static_cast<std::size_t>(i);
    view.shape[axis] = fields.shape[axis];
    view.strides[axis] = fields.strides == nullptr ? packed : fields.strides[axis];
    packed *= fields.shape[axis];
  }
  return view;
}

}  // namespace lathe::detail
