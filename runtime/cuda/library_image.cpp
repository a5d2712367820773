#include "runtime/cuda/library_image.h"

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "runtime/base/try.h"
#include "runtime/cuda/cubin.h"
#include "runtime/cuda/driver_error.h"
#include "runtime/cuda/scopes.h"

namespace lathe::runtime::cuda {

namespace {

/// Where the driver's compiler and linker write their words.
class JitLog {
 public:
  static constexpr unsigned kOptions = 4;

  JitLog() = default;
  JitLog(const JitLog&) = delete;  // values_ point into it
  JitLog& operator=(const JitLog&) = delete;

  JitOption* options() { return options_.data(); }
  void** values() { return values_.data(); }

  /// Errors first, then remarks.
  std::string text() const {
    std::string text = error_.data();
    if (!text.empty() && info_[0] != '\0') text += '\n';
    return text + info_.data();
  }

 private:
  static constexpr std::size_t kBytes = 8192;

  // The driver writes at most the size it is given, which leaves the last byte as the terminator.
  static void* size_value() { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(kBytes - 1)); }

  std::array<char, kBytes> error_{};
  std::array<char, kBytes> info_{};
  std::array<JitOption, kOptions> options_{JitOption::error_log_buffer,
                                           JitOption::error_log_buffer_size_bytes, JitOption::info_log_buffer,
                                           JitOption::info_log_buffer_size_bytes};
  std::array<void*, kOptions> values_{error_.data(), size_value(), info_.data(), size_value()};
};

/// The driver wants PTX as a C string; a payload is not terminated.
codegen::Bytes image_bytes(const codegen::Payload& payload) {
  codegen::Bytes bytes = payload.bytes;
  if (payload.kind == codegen::PayloadKind::ptx) bytes.push_back(std::byte{0});
  return bytes;
}

}  // namespace

LibraryImage::~LibraryImage() {
  if (library_ == nullptr) return;
  const ContextScope current(session_->api(), session_->context());
  const RelaxedCaptureScope relaxed(session_->api());
  session_->api().library_unload(library_);
}

LibraryImage::LibraryImage(LibraryImage&& other) noexcept
    : session_(other.session_),
      library_(std::exchange(other.library_, nullptr)),
      function_(other.function_),
      parameter_bytes_(other.parameter_bytes_) {}

Status LibraryImage::find_entry(const std::string& entry) {
  const DriverApi& api = session_->api();
  KernelHandle kernel = nullptr;
  Status status = api.library_get_kernel(&kernel, library_, entry.c_str());
  if (status != Status::success) return status;
  // With lazy loading it is only here that the code goes to the device, so that a binary of a foreign
  // architecture may be refused here and not earlier.
  status = api.kernel_get_function(&function_, kernel);
  if (status != Status::success || api.kernel_get_param_info == nullptr) return status;
  std::size_t offset = 0;
  std::size_t size = 0;
  if (api.kernel_get_param_info(kernel, 0, &offset, &size) == Status::success) parameter_bytes_ = size;
  return Status::success;
}

Result<LibraryImage> LibraryImage::load_payload(const Session& session, const codegen::Payload& payload,
                                                const std::string& entry, Status& status) {
  const bool is_cubin = payload.kind == codegen::PayloadKind::cubin;
  const DriverApi& api = session.api();
  JitLog log;
  const codegen::Bytes bytes = image_bytes(payload);
  Library library = nullptr;
  status = api.library_load_data(&library, bytes.data(), log.options(), log.values(), JitLog::kOptions,
                                 nullptr, nullptr, 0);
  std::string_view call = "cuLibraryLoadData";
  if (status == Status::success) {
    LibraryImage image(session, library);
    status = image.find_entry(entry);
    if (status == Status::success) return image;
    call = "finding the entry point";
  }
  Error error =
      driver_error(api, status, {.call = call, .stage = Stage::load, .code = ErrorCode::load_failed});
  error.message = fmt::format("{} \"{}\" on {} ({}): {}", is_cubin ? "cubin" : "PTX", entry,
                              session.device().name, target_of(session.device()).text(), error.message);
  error.log = log.text();
  return error;
}

Result<LibraryImage> LibraryImage::load(const Session& session, const codegen::KernelBinary& binary,
                                        const std::string& entry) {
  const codegen::Payload* cubin = binary.find(codegen::PayloadKind::cubin);
  const codegen::Payload* ptx = binary.find(codegen::PayloadKind::ptx);
  Status status = Status::success;
  if (cubin != nullptr) {
    LATHE_CHECK(check_cubin(cubin->bytes));
    auto image = load_payload(session, *cubin, entry, status);
    if (image || status != Status::no_binary_for_gpu || ptx == nullptr) return image;
  }
  if (ptx == nullptr) {
    return Error{.code = ErrorCode::load_failed,
                 .stage = Stage::load,
                 .message = fmt::format("\"{}\": expected a cubin or PTX, got neither", entry),
                 .hint = "the binary was compiled for the CPU; compile it for a cuda target"};
  }
  auto image = load_payload(session, *ptx, entry, status);
  if (!image && cubin != nullptr) {
    image.error().message += "; the cubin is for another architecture";
  }
  return image;
}

}  // namespace lathe::runtime::cuda
