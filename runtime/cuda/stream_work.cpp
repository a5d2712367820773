#include "runtime/cuda/stream_work.h"

#include <fmt/format.h>

#include "runtime/base/try.h"
#include "runtime/cuda/driver_error.h"

namespace lathe::runtime::cuda {

Result<void> check_call(const DriverApi& api, Status status, std::string_view call) {
  if (status == Status::success) return {};
  return driver_error(api, status, {.call = call});
}

Result<void> check_not_capturing(const DriverApi& api, StreamHandle stream, std::string_view what) {
  CaptureStatus capture = CaptureStatus::none;
  LATHE_CHECK(check_call(api, api.stream_is_capturing(stream, &capture), "cuStreamIsCapturing"));
  if (capture == CaptureStatus::none) return {};
  return Error{.code = ErrorCode::invalid_argument,
               .stage = Stage::launch,
               .message = fmt::format("{}: the stream is being captured", what),
               .hint = std::string(hint_for(Status::stream_capture_unsupported))};
}

Result<void> wait_for(const DriverApi& api, StreamHandle stream) {
  return check_call(api, api.stream_synchronize(stream), "cuStreamSynchronize");
}

}  // namespace lathe::runtime::cuda
