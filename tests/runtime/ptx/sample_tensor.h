// A tensor of random bytes in emulated memory and its map, for tests of tensor copies; and what a box of it
// must be in shared memory, worked out element by element.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "runtime/ptx/tensor_map.h"
#include "tests/runtime/ptx/async_kernel.h"

namespace lathe::tests {

using runtime::Swizzle;
using runtime::TensorMapSpec;

struct SampleTensor {
  TensorMapSpec spec;
  std::vector<std::byte> bytes;  ///< all that it spans, gaps included

  /// Rows are 16 bytes farther apart than they must be, where `has_gaps`.
  SampleTensor(DType dtype, const std::vector<std::uint64_t>& extents, const std::vector<std::uint32_t>& box,
               Swizzle swizzle, bool has_gaps = true) {
    spec.dtype = dtype;
    spec.rank = static_cast<unsigned>(extents.size());
    spec.swizzle = swizzle;
    std::uint64_t stride = size_of(dtype);
    for (unsigned i = 0; i < spec.rank; ++i) {
      spec.extents[i] = extents[i];
      spec.box[i] = box[i];
      spec.strides[i] = stride;
      stride = (stride * extents[i] + 15) / 16 * 16 + (has_gaps ? 16 : 0);
    }
    bytes.resize(stride);
    std::mt19937 random(static_cast<unsigned>(stride + spec.rank));
    for (std::byte& each : bytes) each = static_cast<std::byte>(random());
  }

  /// Puts it on the machine and makes the map.
  runtime::TensorMap upload_to(AsyncMachine& machine) {
    spec.address = machine.upload(bytes);
    auto map = runtime::ptx::encode_tensor_map(spec);
    if (!map) FAIL(map.error().text());
    return *map;
  }
  std::vector<std::byte> download() const {
    const auto* begin = static_cast<const std::byte*>(spec.address);
    return {begin, begin + bytes.size()};
  }

  std::size_t box_bytes() const {
    std::size_t all = size_of(spec.dtype);
    for (unsigned i = 0; i < spec.rank; ++i) all *= spec.box[i];
    return all;
  }

  /// function(offset in shared memory, offset in the tensor or -1) for each element of a box.
  template <class Function>
  void for_each_element(const std::array<std::int64_t, 5>& corner, Function function) const {
    const std::size_t element = size_of(spec.dtype);
    const std::size_t row_bytes = spec.box[0] * element;
    std::array<std::uint32_t, 5> at{};
    for (std::size_t row = 0; row < box_bytes() / row_bytes; ++row) {
      for (at[0] = 0; at[0] < spec.box[0]; ++at[0]) {
        std::int64_t offset = 0;
        bool is_inside = true;
        for (unsigned i = 0; i < spec.rank; ++i) {
          const std::int64_t index = corner[i] + at[i];
          is_inside = is_inside && index >= 0 && index < static_cast<std::int64_t>(spec.extents[i]);
          offset += index * static_cast<std::int64_t>(spec.strides[i]);
        }
        function(shared_offset(row, at[0] * element, row_bytes), is_inside ? offset : -1);
      }
      for (unsigned i = 1; i < spec.rank && ++at[i] == spec.box[i]; ++i) at[i] = 0;
    }
  }

  /// Of the byte of a row: where its 16-byte chunk goes is told for whole rows of the span.
  std::size_t shared_offset(std::size_t row, std::size_t byte, std::size_t row_bytes) const {
    const std::size_t turn = spec.swizzle == Swizzle::bytes_128  ? row % 8
                             : spec.swizzle == Swizzle::bytes_64 ? row / 2 % 4
                             : spec.swizzle == Swizzle::bytes_32 ? row / 4 % 2
                                                                 : 0;
    const std::size_t chunk = byte / 16 ^ turn;
    return row * row_bytes + chunk * 16 + byte % 16;
  }

  std::vector<std::byte> box_at(const std::array<std::int64_t, 5>& corner) const {
    std::vector<std::byte> box(box_bytes());
    const std::size_t element = size_of(spec.dtype);
    for_each_element(corner, [&](std::size_t to, std::int64_t from) {
      if (from >= 0) std::memcpy(&box[to], &bytes[static_cast<std::size_t>(from)], element);
    });
    return box;
  }
};

/// `{1, -2}`
inline std::string coordinates(const SampleTensor& tensor, const std::array<std::int64_t, 5>& corner) {
  std::string text;
  for (unsigned i = 0; i < tensor.spec.rank; ++i) text += fmt::format("{}{}", i == 0 ? "{" : ", ", corner[i]);
  return text + "}";
}

/// Thread 0 loads the box by `instruction` to `buffer`, and all give out its bytes.
inline std::string tensor_load_body(const SampleTensor& tensor, const std::string& instruction) {
  return init_bars({1}) +
         fmt::format("  @%leader mbarrier.arrive.expect_tx.shared.b64 _, [bars], {};\n  @%leader {}\n",
                     tensor.box_bytes(), instruction) +
         wait_for("bars", "0") +
         fmt::format(R"(
  shl.b32 %r0, %thread, 2;
GIVE:
  add.u32 %r1, %r0, %buffer;
  setp.lt.u32 %p0, %r0, {0};
  @%p0 ld.shared.u32 %r2, [%r1];
  cvt.u64.u32 %l0, %r0;
  add.u64 %l0, %l0, %to;
  @%p0 st.global.u32 [%l0], %r2;
  add.u32 %r0, %r0, 128;
  @%p0 bra GIVE;
)",
                     tensor.box_bytes());
}

/// Threads put word i of the source to byte 4 i of `buffer`, and thread 0 stores it by `instruction`.
inline std::string tensor_store_body(const SampleTensor& tensor, const std::string& instruction) {
  return fmt::format(R"(
  shl.b32 %r0, %thread, 2;
TAKE:
  add.u32 %r1, %r0, %buffer;
  setp.lt.u32 %p0, %r0, {0};
  cvt.u64.u32 %l0, %r0;
  add.u64 %l0, %l0, %from;
  @%p0 ld.global.u32 %r2, [%l0];
  @%p0 st.shared.u32 [%r1], %r2;
  add.u32 %r0, %r0, 128;
  @%p0 bra TAKE;
  fence.proxy.async.shared::cta;
  bar.sync 0;
  @!%leader ret;
  {1}
  cp.async.bulk.commit_group;
  cp.async.bulk.wait_group 0;
)",
                     tensor.box_bytes(), instruction);
}

}  // namespace lathe::tests
