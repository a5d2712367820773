#include <lathe/kernel.h>

#include <array>
#include <cstring>

#include <fmt/format.h>

#include "runtime/kernel_state.h"

namespace lathe {

namespace {
/// Larger than any op's Args; they are copied here so that prepare() may fill in strides.
constexpr std::size_t kMaxArgsBytes = 2048;
}  // namespace

Result<void> Kernel::launch_bytes(const void* args, std::size_t size, Stream stream) const {
  const codegen::Op& op = *state_->op;
  if (args == nullptr || size != op.args_size || size > kMaxArgsBytes) {
    return Error{.code = ErrorCode::invalid_argument,
                 .stage = Stage::launch,
                 .message = fmt::format("{}: expected {} bytes of arguments, got {}", op.name, op.args_size,
                                        args == nullptr ? "a null pointer" : fmt::to_string(size)),
                 .hint = "pass the Args struct of this very version of Lathe"};
  }
  alignas(64) std::array<std::byte, kMaxArgsBytes> storage;
  std::memcpy(storage.data(), args, size);
  const std::span<std::byte> prepared(storage.data(), size);
  const codegen::LaunchSite site{state_->entries, state_->executor->device().processors};
  auto grids = op.prepare(state_->spec, site, prepared);
  if (!grids) return std::move(grids).error();
  return state_->executor->launch(*state_->loaded, *grids, prepared, stream);
}

const KernelSpec& Kernel::spec() const {
  return state_->spec;
}
const Target& Kernel::target() const {
  return state_->target;
}
const ResourceUse& Kernel::resources() const {
  return state_->resources;
}
std::string Kernel::key() const {
  return state_->key;
}

}  // namespace lathe
