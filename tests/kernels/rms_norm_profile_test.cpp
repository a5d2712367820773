// What rms_norm's GPU kernels do to memory, at every width of their rows: each byte moved once, whole
// sectors, no bank conflicts.
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

/// The bytes that a launch cannot do without. The weight is as good as in the L2 cache after the first row,
/// so each row may read it.
std::uint64_t floor_of(const RmsNormSpec& spec) {
  const std::uint64_t tensor = bytes_of(spec.dtype, kRows * spec.hidden_size);
  std::uint64_t bytes = tensor + bytes_of(spec.y_dtype.value_or(spec.dtype), kRows * spec.hidden_size);
  if (spec.residual != Residual::none) bytes += 2 * tensor;
  if (spec.has_weight) bytes += bytes_of(spec.weight_dtype.value_or(spec.dtype), kRows * spec.hidden_size);
  if (spec.store_rstd) bytes += bytes_of(f32, kRows);
  return bytes;
}

/// Launches it on tightly packed tensors.
Result<void> launch(Runtime& runtime, const RmsNormSpec& spec) {
  const auto kernel = runtime.get(spec);
  if (!kernel) return kernel.error();
  std::vector<Buffer> buffers;
  const auto buffer = [&](DType dtype, Index elements) {
    buffers.push_back(runtime.allocate(bytes_of(dtype, elements)).value());
    return buffers.back().data();
  };
  const Index elements = kRows * spec.hidden_size;
  RmsNormArgs args{.rows = kRows};
  args.x = buffer(spec.dtype, elements);
  args.y = buffer(spec.y_dtype.value_or(spec.dtype), elements);
  args.weight = buffer(spec.weight_dtype.value_or(spec.dtype), spec.hidden_size);
  args.residual_in = buffer(spec.dtype, elements);
  args.residual_out = buffer(spec.dtype, elements);
  args.rstd = static_cast<float*>(buffer(f32, kRows));
  return kernel->launch(args, {});
}

void check_profile(const std::string& arch, const RmsNormSpec& spec) {
  const auto profiles = profiles_of(arch, [&](Runtime& runtime) { return launch(runtime, spec); });
  if (!profiles) return;
  REQUIRE(profiles->size() == 1);
  const LaunchProfile& profile = profiles->front();
  const auto& global = profile.global;
  const std::uint64_t floor = floor_of(spec);
  INFO(arch << ", " << name_of(spec.dtype) << ", rows of " << spec.hidden_size << ": " << global.read_bytes
            << " bytes read, " << global.written_bytes << " written of " << floor << ", " << global.sectors
            << " sectors of " << global.ideal_sectors << ", " << profile.shared.wavefronts
            << " wavefronts of " << profile.shared.ideal_wavefronts);
  CHECK(100 * (global.read_bytes + global.written_bytes) <= 105 * floor);
  CHECK(global.written_bytes == global.distinct_written_bytes);
  CHECK(100 * global.sectors <= 105 * global.ideal_sectors);
  CHECK(profile.shared.wavefronts == profile.shared.ideal_wavefronts);
}

}  // namespace

TEST_CASE("rms_norm moves each byte once, in whole sectors, without bank conflicts") {
  const std::string arch = GENERATE("sm_80", "sm_90a");
  for (const DType dtype : {bf16, f16, f32}) {
    for (const Index size : {64, 128, 1024, 2880, 4096, 8192, 16384, 32768}) {
      if (bytes_of(dtype, size) < 128) continue;
      check_profile(arch, {.hidden_size = size, .dtype = dtype});
    }
  }
}

TEST_CASE("rms_norm's options move no more bytes than their tensors have") {
  const std::string arch = GENERATE("sm_80", "sm_90a");
  for (const Index size : {128, 4096}) {
    for (const Residual residual : {Residual::round_then_norm, Residual::norm_then_round})
      check_profile(arch, {.hidden_size = size, .residual = residual, .store_rstd = true});
    check_profile(arch, {.hidden_size = size, .has_weight = false});
    check_profile(arch, {.hidden_size = size, .weight_dtype = f32});
    check_profile(arch, {.hidden_size = size, .y_dtype = f32});
    check_profile(arch, {.hidden_size = size, .y_dtype = e4m3});
    check_profile(arch, {.hidden_size = size, .dtype = f32, .weight_dtype = bf16});
    for (const Casting casting : {Casting::llama, Casting::none})
      check_profile(arch, {.hidden_size = size, .casting = casting});
  }
}
