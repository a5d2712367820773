#include "runtime/cuda/cuda_entry.h"

#include <cstdint>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "runtime/base/try.h"
#include "runtime/cuda/driver_error.h"

namespace lathe::runtime::cuda {

namespace {

/// Dynamic shared memory that a launch may have without asking for more at load.
constexpr unsigned kDefaultSharedBytes = 48u << 10;
/// Blocks per cluster that every device with clusters has room for, and that any has when asked.
constexpr std::uint64_t kPortableClusterBlocks = 8;
constexpr std::uint64_t kMostClusterBlocks = 16;
constexpr std::uint64_t kMostGridX = (1ull << 31) - 1;
constexpr unsigned kMostGridYZ = 65535;

/// Threads of a block, or blocks of a cluster; 64 bits, as damaged facts may hold anything.
std::uint64_t volume(const codegen::Dim3& dim) {
  return std::uint64_t{dim.x} * dim.y * dim.z;
}

Error error_of(ErrorCode code, Stage stage, std::string message, std::string hint) {
  return {.code = code, .stage = stage, .message = std::move(message), .hint = std::move(hint)};
}

/// The device is named: on a machine with several, this is how the wrong one is noticed.
Error beyond_device(const DeviceFacts& device, std::string_view entry, std::string wants) {
  return error_of(ErrorCode::unsupported, Stage::load,
                  fmt::format("\"{}\" {}: {} ({})", entry, wants, device.name, target_of(device).text()),
                  "the kernel was made for another device; compile it for this one's target");
}

}  // namespace

Result<void> CudaEntry::check(const DeviceFacts& device, const codegen::EntryPoint& point) {
  const std::string& entry = point.name;
  const codegen::LaunchFacts& facts = point.launch;
  const std::uint64_t threads = volume(facts.block);
  const std::uint64_t cluster = volume(facts.cluster);
  if (threads == 0 || cluster == 0) {
    return error_of(ErrorCode::load_failed, Stage::load,
                    fmt::format("\"{}\": block and cluster must not be empty", entry),
                    "the cached entry is damaged; run `lathe cache verify`");
  }
  if (cluster > 1 && !device.has_clusters()) {
    return beyond_device(device, entry, "needs thread block clusters, which start with sm_90");
  }
  if (cluster > kMostClusterBlocks) {
    return beyond_device(
        device, entry,
        fmt::format("needs clusters of {} blocks, and {} are the most", cluster, kMostClusterBlocks));
  }
  if (facts.dynamic_shared_bytes > device.shared_bytes_per_block) {
    return beyond_device(device, entry,
                         fmt::format("needs {} bytes of dynamic shared memory per block, and there are {}",
                                     facts.dynamic_shared_bytes, device.shared_bytes_per_block));
  }
  return {};
}

CudaEntry::CudaEntry(const Session& session, const codegen::EntryPoint& entry, const LoadedEntry& loaded)
    : session_(session), name_(entry.name), facts_(entry.launch), loaded_(loaded) {
  const codegen::Dim3& cluster = facts_.cluster;
  if (volume(cluster) > 1) {
    LaunchAttribute& attribute = attributes_[attribute_count_++];
    attribute.id = LaunchAttributeId::cluster_dimension;
    attribute.value.cluster = {cluster.x, cluster.y, cluster.z};
  }
  // Older devices execute griddepcontrol.wait as nothing, and their driver refuses the attribute.
  if (facts_.programmatic_launch && session.device().has_clusters()) {
    LaunchAttribute& attribute = attributes_[attribute_count_++];
    attribute.id = LaunchAttributeId::programmatic_stream_serialization;
    attribute.value.programmatic_stream_serialization = 1;
  }
}

Result<void> CudaEntry::set_attributes() const {
  const DriverApi& api = session_.api();
  const Function function = loaded_.function;
  const FailedCall failed{.call = "cuFuncSetAttribute", .stage = Stage::load, .code = ErrorCode::load_failed};
  const unsigned dynamic = facts_.dynamic_shared_bytes;
  // The driver would only say CUDA_ERROR_INVALID_VALUE, for either of the two sizes.
  int fixed = 0;
  Status status = api.function_get_attribute(&fixed, FunctionAttribute::shared_size_bytes, function);
  if (status == Status::success &&
      dynamic + static_cast<std::size_t>(fixed) > session_.device().shared_bytes_per_block) {
    return beyond_device(
        session_.device(), name_,
        fmt::format("needs {} bytes of dynamic and {} of static shared memory per block, and there are {}",
                    dynamic, fixed, session_.device().shared_bytes_per_block));
  }
  if (dynamic > kDefaultSharedBytes) {
    status = api.function_set_attribute(function, FunctionAttribute::max_dynamic_shared_size_bytes,
                                        static_cast<int>(dynamic));
    if (status != Status::success) return driver_error(api, status, failed);
  }
  if (volume(facts_.cluster) > kPortableClusterBlocks) {
    status = api.function_set_attribute(function, FunctionAttribute::non_portable_cluster_size_allowed, 1);
    if (status != Status::success) return driver_error(api, status, failed);
  }
  return {};
}

Result<void> CudaEntry::check_launch(const codegen::Grid& grid, std::size_t args_bytes) const {
  if (grid.x > kMostGridX || grid.y > kMostGridYZ || grid.z > kMostGridYZ) {
    return error_of(ErrorCode::invalid_argument, Stage::launch,
                    fmt::format("\"{}\": a grid of {} x {} x {} blocks, and {} x {} x {} is the largest",
                                name_, grid.x, grid.y, grid.z, kMostGridX, kMostGridYZ, kMostGridYZ),
                    "launch on fewer rows at a time");
  }
  // A defect of the op and not of the caller, who does not choose the grid.
  const codegen::Dim3& cluster = facts_.cluster;
  if (grid.x % cluster.x != 0 || grid.y % cluster.y != 0 || grid.z % cluster.z != 0) {
    return error_of(
        ErrorCode::internal, Stage::launch,
        fmt::format("\"{}\": a grid of {} x {} x {} blocks is no multiple of the cluster {} x {} x {}", name_,
                    grid.x, grid.y, grid.z, cluster.x, cluster.y, cluster.z),
        "the op's launch dimensions are wrong; report the spec");
  }
  // The driver copies as many bytes as the kernel declares: fewer here would be read past their end.
  if (const auto expected = loaded_.parameter_bytes; expected && *expected != args_bytes) {
    return error_of(
        ErrorCode::invalid_argument, Stage::launch,
        fmt::format("\"{}\": expected {} bytes of arguments, got {}", name_, *expected, args_bytes),
        "the kernel was compiled by another version of Lathe; remove its cache entry");
  }
  return {};
}

Result<void> CudaEntry::launch(const codegen::Grid& grid, std::span<const std::byte> args,
                               StreamHandle stream) const {
  LATHE_CHECK(check_launch(grid, args.size()));
  const DriverApi& api = session_.api();
  auto attributes = attributes_;  // the driver's signature does not promise to leave them alone
  const LaunchConfig config{.grid_x = static_cast<unsigned>(grid.x),
                            .grid_y = grid.y,
                            .grid_z = grid.z,
                            .block_x = facts_.block.x,
                            .block_y = facts_.block.y,
                            .block_z = facts_.block.z,
                            .shared_bytes = facts_.dynamic_shared_bytes,
                            .stream = stream,
                            .attributes = attribute_count_ == 0 ? nullptr : attributes.data(),
                            .attribute_count = attribute_count_};
  // One __grid_constant__ struct is the kernel's only parameter; the driver copies it before it returns.
  void* parameters[] = {const_cast<std::byte*>(args.data())};
  const Status status = api.launch_kernel_ex(&config, loaded_.function, parameters, nullptr);
  if (status == Status::success) return {};
  Error error = driver_error(api, status, {.call = "cuLaunchKernelEx"});
  error.message = fmt::format("\"{}\": {}", name_, error.message);
  return error;
}

}  // namespace lathe::runtime::cuda
