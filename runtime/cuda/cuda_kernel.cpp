#include "runtime/cuda/cuda_kernel.h"

#include <algorithm>
#include <utility>

#include "runtime/base/try.h"
#include "runtime/cuda/driver_error.h"
#include "runtime/cuda/scopes.h"

namespace lathe::runtime::cuda {

CudaKernel::CudaKernel(const Session& session, LibraryImage image, const codegen::KernelBinary& binary)
    : session_(session), image_(std::move(image)) {
  for (std::size_t i = 0; i < binary.entries.size(); ++i)
    entries_.emplace_back(session, binary.entries[i], image_.entries()[i]);
}

Result<std::unique_ptr<LoadedKernel>> CudaKernel::load(const Session& session,
                                                       const codegen::KernelBinary& binary) {
  if (binary.entries.empty()) {
    return Error{.code = ErrorCode::load_failed,
                 .stage = Stage::load,
                 .message = "the binary names no entry point",
                 .hint = "the cached entry is damaged; run `lathe cache verify`"};
  }
  for (const codegen::EntryPoint& entry : binary.entries)
    LATHE_CHECK(CudaEntry::check(session.device(), entry));

  // Functions belong to a context: what is found below is of ours, whatever the caller has current.
  const ContextScope current(session.api(), session.context());
  if (current.status() != Status::success) {
    return driver_error(session.api(), current.status(),
                        {.call = "cuCtxPushCurrent", .stage = Stage::load, .code = ErrorCode::load_failed});
  }
  const RelaxedCaptureScope relaxed(session.api());
  LATHE_TRY(LibraryImage image, LibraryImage::load(session, binary));
  auto kernel = std::make_unique<CudaKernel>(session, std::move(image), binary);
  for (const CudaEntry& entry : kernel->entries_) LATHE_CHECK(entry.set_attributes());
  return kernel;
}

Result<void> CudaKernel::launch(const codegen::Grids& grids, std::span<const std::byte> args,
                                StreamHandle stream) const {
  const auto is_empty = [](const codegen::Grid& grid) { return grid.x == 0 || grid.y == 0 || grid.z == 0; };
  if (std::ranges::all_of(grids, is_empty)) return {};
  const ContextScope current(session_.api(), session_.context());
  if (current.status() != Status::success) {
    return driver_error(session_.api(), current.status(), {.call = "cuCtxPushCurrent"});
  }
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (!is_empty(grids[i])) LATHE_CHECK(entries_[i].launch(grids[i], args, stream));
  }
  return {};
}

}  // namespace lathe::runtime::cuda
