// LibraryImage: machine code that the driver has loaded, and the entry points in it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <lathe/error.h>

#include "codegen/kernel_binary.h"
#include "runtime/cuda/driver_api.h"
#include "runtime/cuda/session.h"

namespace lathe::runtime::cuda {

/// A function of the session's context.
struct LoadedEntry {
  Function function = nullptr;
  /// Size of its one parameter; empty with drivers before 12.4, which do not tell.
  std::optional<std::size_t> parameter_bytes{};
};

/// Owns a loaded library until it is unloaded. Move-only. The Session must outlive it.
class LibraryImage {
 public:
  /// Loads the binary's cubin; if the driver has no use for its architecture, its PTX, which the driver then
  /// compiles. The code is on the device when it returns, so that the first launch is as fast as the others.
  /// Errors: load_failed with the driver's log. REQUIRES: the session's context is current, and the binary
  /// names an entry point.
  static Result<LibraryImage> load(const Session& session, const codegen::KernelBinary& binary);

  /// Unloads. Failures are ignored: at process exit the driver may be gone (CUDA_ERROR_DEINITIALIZED), and
  /// after a failed kernel it refuses everything. REQUIRES: no launch of the kernel is running or being
  /// captured, and graphs that contain one are gone.
  ~LibraryImage();
  LibraryImage(LibraryImage&& other) noexcept;
  LibraryImage& operator=(LibraryImage&&) = delete;

  /// In the order of the binary's entry points.
  const std::vector<LoadedEntry>& entries() const { return entries_; }

 private:
  class JitLog;

  explicit LibraryImage(const Session& session) : session_(&session) {}

  static Result<LibraryImage> load_payload(const Session& session, const codegen::Payload& payload,
                                           const std::vector<codegen::EntryPoint>& entries, Status& status);
  /// `log` may be null.
  Status load_code(const codegen::Bytes& code, const std::vector<codegen::EntryPoint>& entries, JitLog* log);
  Status find_entry(const std::string& name);

  const Session* session_;
  Library library_ = nullptr;
  std::vector<LoadedEntry> entries_;
};

}  // namespace lathe::runtime::cuda
