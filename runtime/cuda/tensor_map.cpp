#include "runtime/cuda/tensor_map.h"

#include <bit>

#include "runtime/base/try.h"
#include "runtime/cuda/driver_error.h"

namespace lathe::runtime::cuda {

namespace {

/// TMA moves bits; the type matters for reductions and for the size of an element.
TensorMapType type_of(DType dtype) {
  switch (dtype) {
    case f32:
      return TensorMapType::f32;
    case f16:
      return TensorMapType::f16;
    case bf16:
      return TensorMapType::bf16;
    case i32:
      return TensorMapType::i32;
    case i64:
      return TensorMapType::i64;
    case e4m3:
    case e5m2:
    case u8:
      return TensorMapType::u8;
  }
  return TensorMapType::u8;
}

}  // namespace

Result<runtime::TensorMap> encode_tensor_map(const DriverApi& api, const TensorMapSpec& spec) {
  LATHE_CHECK(check_tensor_map(spec));
  constexpr std::array<std::uint32_t, TensorMapSpec::kMaxRank> kEveryElement{1, 1, 1, 1, 1};
  TensorMap map{};
  // The driver takes no stride for dimension 0, so its list starts with ours of dimension 1.
  const Status status = api.tensor_map_encode_tiled(
      &map, type_of(spec.dtype), spec.rank, const_cast<void*>(spec.address), spec.extents.data(),
      spec.strides.data() + 1, spec.box.data(), kEveryElement.data(), TensorMapInterleave::none,
      static_cast<TensorMapSwizzle>(spec.swizzle), static_cast<TensorMapL2>(spec.l2_promotion),
      TensorMapFill::zeros);
  if (status == Status::success) return std::bit_cast<runtime::TensorMap>(map);
  return driver_error(api, status, {.call = "cuTensorMapEncodeTiled", .code = ErrorCode::invalid_argument});
}

}  // namespace lathe::runtime::cuda
