// TensorView: a tensor that somebody else owns, and the conversion from DLPack.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include <lathe/dtype.h>
#include <lathe/error.h>
#include <lathe/export.h>

namespace lathe {

/// Pointer, element type, extents and strides. Strides count elements.
struct TensorView {
  static constexpr int kMaxRank = 8;

  void* data = nullptr;
  DType dtype = f32;
  int rank = 0;
  std::array<std::int64_t, kMaxRank> shape{};
  std::array<std::int64_t, kMaxRank> strides{};
  bool on_gpu = false;

  std::int64_t elements() const {
    std::int64_t count = 1;
    for (int i = 0; i < rank; ++i) count *= shape[static_cast<std::size_t>(i)];
    return count;
  }
};

namespace detail {
/// DLPack's numbers, as its specification fixes them, without its header.
struct DlTensorFields {
  void* data;
  int device_type;
  int ndim;
  int type_code;
  int type_bits;
  int type_lanes;
  const std::int64_t* shape;
  const std::int64_t* strides;  // null: row-major
  std::uint64_t byte_offset;
};
LATHE_API Result<TensorView> tensor_view_from(const DlTensorFields& fields);
}  // namespace detail

/// The view of a DLPack tensor, without copying: pass `managed->dl_tensor`. Lathe needs no DLPack header; any
/// struct with the members of DLTensor will do. Errors: invalid_argument for an element type, rank or device
/// that Lathe does not know. The view does not own: keep the tensor until the launches that use it are
/// complete.
template <class DlTensor>
Result<TensorView> from_dlpack(const DlTensor& tensor) {
  return detail::tensor_view_from({.data = tensor.data,
                                   .device_type = static_cast<int>(tensor.device.device_type),
                                   .ndim = static_cast<int>(tensor.ndim),
                                   .type_code = static_cast<int>(tensor.dtype.code),
                                   .type_bits = static_cast<int>(tensor.dtype.bits),
                                   .type_lanes = static_cast<int>(tensor.dtype.lanes),
                                   .shape = tensor.shape,
                                   .strides = tensor.strides,
                                   .byte_offset = tensor.byte_offset});
}

}  // namespace lathe
