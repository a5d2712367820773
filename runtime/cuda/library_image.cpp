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

/// Where the driver's compiler and linker write their words.
class LibraryImage::JitLog {
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

namespace {

/// The driver wants PTX as a C string; a payload is not terminated.
codegen::Bytes code_of(const codegen::Payload& payload) {
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
      entries_(std::move(other.entries_)) {}

Status LibraryImage::find_entry(const std::string& name) {
  const DriverApi& api = session_->api();
  KernelHandle kernel = nullptr;
  Status status = api.library_get_kernel(&kernel, library_, name.c_str());
  if (status != Status::success) return status;
  // With lazy loading it is only here that the code goes to the device, so that a binary of a foreign
  // architecture may be refused here and not earlier.
  LoadedEntry entry;
  status = api.kernel_get_function(&entry.function, kernel);
  if (status != Status::success) return status;
  std::size_t offset = 0;
  std::size_t size = 0;
  if (api.kernel_get_param_info != nullptr &&
      api.kernel_get_param_info(kernel, 0, &offset, &size) == Status::success) {
    entry.parameter_bytes = size;
  }
  entries_.push_back(entry);
  return Status::success;
}

Status LibraryImage::load_code(const codegen::Bytes& code, const std::vector<codegen::EntryPoint>& entries,
                               JitLog* log) {
  JitOption* const options = log == nullptr ? nullptr : log->options();
  void** const values = log == nullptr ? nullptr : log->values();
  const unsigned count = log == nullptr ? 0 : JitLog::kOptions;
  Status status =
      session_->api().library_load_data(&library_, code.data(), options, values, count, nullptr, nullptr, 0);
  for (const codegen::EntryPoint& entry : entries) {
    if (status == Status::success) status = find_entry(entry.name);
  }
  return status;
}

Result<LibraryImage> LibraryImage::load_payload(const Session& session, const codegen::Payload& payload,
                                                const std::vector<codegen::EntryPoint>& entries,
                                                Status& status) {
  const codegen::Bytes code = code_of(payload);
  LibraryImage image(session);
  status = image.load_code(code, entries, nullptr);
  if (status == Status::success) return image;

  // The driver may load a library into contexts that come later, with the options of the first load; so log
  // buffers are given only to a second try, whose library is gone before they are. Of an architecture that
  // does not fit there is nothing to log.
  JitLog log;
  if (status != Status::no_binary_for_gpu) {
    LibraryImage again(session);
    again.load_code(code, entries, &log);
  }
  Error error =
      driver_error(session.api(), status,
                   {.call = "cuLibraryLoadData", .stage = Stage::load, .code = ErrorCode::load_failed});
  error.message = fmt::format(
      "{} \"{}\" on {} ({}): {}", payload.kind == codegen::PayloadKind::cubin ? "cubin" : "PTX",
      entries.front().name, session.device().name, target_of(session.device()).text(), error.message);
  error.log = log.text();
  return error;
}

Result<LibraryImage> LibraryImage::load(const Session& session, const codegen::KernelBinary& binary) {
  const codegen::Payload* cubin = binary.find(codegen::PayloadKind::cubin);
  const codegen::Payload* ptx = binary.find(codegen::PayloadKind::ptx);
  Status status = Status::success;
  // Only a foreign architecture is a reason to try the PTX: any other failure of the cubin is a defect that a
  // slow compile by the driver would hide.
  if (cubin != nullptr) {
    LATHE_CHECK(check_cubin(cubin->bytes));
    auto image = load_payload(session, *cubin, binary.entries, status);
    if (image || status != Status::no_binary_for_gpu || ptx == nullptr) return image;
  }
  if (ptx == nullptr) {
    return Error{
        .code = ErrorCode::load_failed,
        .stage = Stage::load,
        .message = fmt::format("\"{}\": expected a cubin or PTX, got neither", binary.entries.front().name),
        .hint = "the binary was compiled for the CPU; compile it for a cuda target"};
  }
  auto image = load_payload(session, *ptx, binary.entries, status);
  if (!image && cubin != nullptr) {
    image.error().message += "; the cubin is for another architecture";
  }
  return image;
}

}  // namespace lathe::runtime::cuda
