#include "runtime/tensor_map.h"

#include <string>
#include <utility>

#include <fmt/format.h>

#include "runtime/base/try.h"

namespace lathe::runtime {

namespace {

// The rules of cuTensorMapEncodeTiled for maps without interleaving.
constexpr std::uint64_t kAlignment = 16;
constexpr std::uint64_t kMostExtent = 1ull << 32;
constexpr std::uint64_t kStrideLimit = 1ull << 40;
constexpr std::uint32_t kMostBox = 256;

Error broken_rule(std::string found, std::string rule) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::launch,
          .message = fmt::format("tensor map: {}: expected {}", found, rule),
          .hint = "use the variant of the kernel that does not need TMA for tensors that break its rules"};
}

/// What the driver asks of each dimension alone.
Result<void> check_dimension(const TensorMapSpec& spec, unsigned dimension) {
  const std::uint64_t extent = spec.extents[dimension];
  if (extent == 0 || extent > kMostExtent) {
    return broken_rule(fmt::format("extents[{}] = {}", dimension, extent), "1 to 2^32 elements");
  }
  const std::uint32_t box = spec.box[dimension];
  if (box == 0 || box > kMostBox) {
    return broken_rule(fmt::format("box[{}] = {}", dimension, box), "1 to 256 elements");
  }
  if (dimension == 0) return {};
  const std::uint64_t stride = spec.strides[dimension];
  if (stride % kAlignment != 0 || stride >= kStrideLimit) {
    return broken_rule(fmt::format("strides[{}] = {}", dimension, stride),
                       "a multiple of 16 bytes below 2^40");
  }
  return {};
}

/// What it asks of the row that the box has in shared memory.
Result<void> check_innermost(const TensorMapSpec& spec) {
  const std::uint64_t bytes = spec.box[0] * size_of(spec.dtype);
  if (bytes % kAlignment != 0) {
    return broken_rule(fmt::format("box[0] = {} of {}, {} bytes", spec.box[0], name_of(spec.dtype), bytes),
                       "a multiple of 16 bytes");
  }
  const std::uint64_t span = span_of(spec.swizzle);
  if (span != 0 && bytes > span) {
    return broken_rule(fmt::format("box[0] = {} of {}, {} bytes", spec.box[0], name_of(spec.dtype), bytes),
                       fmt::format("at most the {} bytes of the swizzle", span));
  }
  return {};
}

}  // namespace

Result<void> check_tensor_map(const TensorMapSpec& spec) {
  if (spec.rank == 0 || spec.rank > TensorMapSpec::kMaxRank) {
    return broken_rule(fmt::format("rank = {}", spec.rank), "1 to 5");
  }
  // Null is not against the rules, but no kernel could use it.
  const auto address = reinterpret_cast<std::uintptr_t>(spec.address);
  if (address == 0 || address % kAlignment != 0) {
    return broken_rule(fmt::format("address = {:#x}", address), "a non-null multiple of 16 bytes");
  }
  for (unsigned dimension = 0; dimension < spec.rank; ++dimension) {
    LATHE_CHECK(check_dimension(spec, dimension));
  }
  return check_innermost(spec);
}

}  // namespace lathe::runtime
