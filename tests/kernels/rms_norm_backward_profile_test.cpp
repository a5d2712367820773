// What rms_norm_backward's GPU kernels do to memory: dy and x read once, dx written once, whole sectors, no
// bank conflicts; rows that do not fit into registers read twice.
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/launch_profile.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

constexpr Index kRows = 8;

std::uint64_t bytes_of(DType dtype, Index elements) {
  return size_of(dtype) * static_cast<std::uint64_t>(elements);
}

struct Traffic {
  std::uint64_t moved = 0;
  std::uint64_t floor = 0;  ///< partial sums included: written and read once per strip
  std::uint64_t sectors = 0;
  std::uint64_t ideal_sectors = 0;
  std::uint64_t wavefronts = 0;
  std::uint64_t ideal_wavefronts = 0;
};

/// `passes`: how often dy and x are read.
std::uint64_t floor_of(const RmsNormBackwardSpec& spec, std::uint64_t strips, unsigned passes) {
  const std::uint64_t tensor = bytes_of(spec.dtype, kRows * spec.hidden_size);
  const std::uint64_t partials = strips * bytes_of(f32, spec.hidden_size);
  std::uint64_t bytes = 2 * passes * tensor + bytes_of(f32, kRows);
  if (spec.store_dx) bytes += tensor;
  if (spec.has_dresidual) bytes += tensor;
  // There are no more rows than are worked on at a time: each reads the weight.
  if (spec.store_dx)
    bytes += passes * kRows * bytes_of(spec.weight_dtype.value_or(spec.dtype), spec.hidden_size);
  if (spec.store_dw) bytes += 2 * partials + bytes_of(spec.dw_dtype.value_or(spec.dtype), spec.hidden_size);
  return bytes;
}

Result<std::uint64_t> launch(Runtime& runtime, const RmsNormBackwardSpec& spec) {
  const auto kernel = runtime.get(spec);
  if (!kernel) return kernel.error();
  std::vector<Buffer> buffers;
  const auto buffer = [&](std::uint64_t bytes) {
    buffers.push_back(runtime.allocate(bytes).value());
    return buffers.back().data();
  };
  const std::uint64_t tensor = bytes_of(spec.dtype, kRows * spec.hidden_size);
  RmsNormBackwardArgs args{.rows = kRows};
  args.dy = buffer(tensor);
  args.x = buffer(tensor);
  args.dresidual = buffer(tensor);
  args.dx = buffer(tensor);
  args.weight = buffer(bytes_of(f32, spec.hidden_size));
  args.dw = buffer(bytes_of(f32, spec.hidden_size));
  args.rstd = static_cast<const float*>(buffer(bytes_of(f32, kRows)));
  args.workspace_bytes = static_cast<Index>(kernel->workspace_bytes(args).value());
  args.workspace = buffer(static_cast<std::uint64_t>(args.workspace_bytes));
  if (auto done = kernel->launch(args, {}); !done) return done.error();
  // Behind the partials of long rows there are two floats per row.
  return static_cast<std::uint64_t>(args.workspace_bytes) / bytes_of(f32, spec.hidden_size);
}

void check_traffic(const std::string& arch, const RmsNormBackwardSpec& spec, unsigned passes = 1) {
  std::uint64_t strips = 0;
  const auto profiles = profiles_of(arch, [&](Runtime& runtime) -> Result<void> {
    auto launched = launch(runtime, spec);
    if (!launched) return launched.error();
    strips = *launched;
    return {};
  });
  if (!profiles) return;
  Traffic traffic{.floor = floor_of(spec, spec.store_dw ? strips : kRows, passes)};
  for (const LaunchProfile& profile : *profiles) {
    traffic.moved += profile.global.read_bytes + profile.global.written_bytes;
    traffic.sectors += profile.global.sectors;
    traffic.ideal_sectors += profile.global.ideal_sectors;
    traffic.wavefronts += profile.shared.wavefronts;
    traffic.ideal_wavefronts += profile.shared.ideal_wavefronts;
  }
  INFO(arch << ", " << name_of(spec.dtype) << ", rows of " << spec.hidden_size << ": " << traffic.moved
            << " bytes of " << traffic.floor << ", " << traffic.sectors << " sectors of "
            << traffic.ideal_sectors << ", " << traffic.wavefronts << " wavefronts of "
            << traffic.ideal_wavefronts);
  CHECK(100 * traffic.moved <= 105 * traffic.floor);
  CHECK(100 * traffic.sectors <= 105 * traffic.ideal_sectors);
  CHECK(traffic.wavefronts == traffic.ideal_wavefronts);
}

}  // namespace

TEST_CASE("rms_norm_backward reads and writes each row once, in whole sectors, without bank conflicts") {
  const std::string arch = GENERATE("sm_80", "sm_90a");
  for (const DType dtype : {bf16, f32}) {
    for (const Index size : {64, 128, 1024, 2880, 4096, 8192}) {
      if (bytes_of(dtype, size) < 128) continue;
      check_traffic(arch, {.hidden_size = size, .dtype = dtype});
    }
  }
  check_traffic(arch, {.hidden_size = 16384});
  for (const Index size : {128, 4096}) {
    check_traffic(arch, {.hidden_size = size, .has_dresidual = true});
    check_traffic(arch, {.hidden_size = size, .store_dw = false});
    check_traffic(arch, {.hidden_size = size, .store_dx = false});
  }
}

TEST_CASE("rms_norm_backward reads rows twice only where no cluster holds them") {
  check_traffic("sm_90a", {.hidden_size = 65536});
  check_traffic("sm_80", {.hidden_size = 65536}, 2);
}
