#include <lathe/kernel.h>

#include <array>
#include <cstring>

#include <fmt/format.h>

#include "runtime/base/try.h"
#include "runtime/kernel_state.h"

namespace lathe {

namespace {
/// Larger than any op's Args; they are copied here so that prepare() may fill in strides.
constexpr std::size_t kMaxArgsBytes = 2048;

Result<void> check_size(const codegen::Op& op, const void* args, std::size_t size) {
  if (args != nullptr && size == op.args_size && size <= kMaxArgsBytes) return {};
  return Error{.code = ErrorCode::invalid_argument,
               .stage = Stage::launch,
               .message = fmt::format("{}: expected {} bytes of arguments, got {}", op.name, op.args_size,
                                      args == nullptr ? "a null pointer" : fmt::to_string(size)),
               .hint = "pass the Args struct of this very version of Lathe"};
}

codegen::LaunchSite site_of(const Kernel::State& state) {
  return {.entries = state.entries, .processors = state.executor->device().processors};
}
}  // namespace

Result<void> Kernel::launch_bytes(const void* args, std::size_t size, Stream stream) const {
  const codegen::Op& op = *state_->op;
  LATHE_CHECK(check_size(op, args, size));
  alignas(64) std::array<std::byte, kMaxArgsBytes> storage;
  std::memcpy(storage.data(), args, size);
  const std::span<std::byte> prepared(storage.data(), size);
  const codegen::LaunchSite site = site_of(*state_);
  LATHE_TRY(codegen::Grids grids, op.prepare(state_->spec, site, prepared));
  do {
    LATHE_CHECK(state_->executor->launch(*state_->loaded, grids, prepared, stream));
  } while (op.next_round != nullptr && op.next_round(state_->spec, site, prepared, grids));
  return {};
}

Result<std::size_t> Kernel::workspace_bytes_for(const void* args, std::size_t size) const {
  const codegen::Op& op = *state_->op;
  LATHE_CHECK(check_size(op, args, size));
  if (op.workspace_bytes == nullptr) return std::size_t{0};
  return op.workspace_bytes(state_->spec, site_of(*state_), {static_cast<const std::byte*>(args), size});
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
