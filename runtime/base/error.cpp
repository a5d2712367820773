#include <lathe/error.h>

namespace lathe {

std::string_view name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid argument";
    case ErrorCode::invalid_spec:
      return "invalid spec";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::render_failed:
      return "render failed";
    case ErrorCode::compile_failed:
      return "compile failed";
    case ErrorCode::toolchain_missing:
      return "toolchain missing";
    case ErrorCode::device_missing:
      return "device missing";
    case ErrorCode::load_failed:
      return "load failed";
    case ErrorCode::launch_failed:
      return "launch failed";
    case ErrorCode::out_of_memory:
      return "out of memory";
    case ErrorCode::io_failed:
      return "input/output failed";
    case ErrorCode::frozen_miss:
      return "frozen miss";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::internal:
      return "internal error";
  }
  return "unknown error";
}

std::string_view name_of(Stage stage) {
  switch (stage) {
    case Stage::api:
      return "api";
    case Stage::validate:
      return "validate";
    case Stage::key:
      return "key";
    case Stage::render:
      return "render";
    case Stage::compile:
      return "compile";
    case Stage::store:
      return "store";
    case Stage::load:
      return "load";
    case Stage::launch:
      return "launch";
  }
  return "unknown stage";
}

std::string Error::text() const {
  std::string text(name_of(code));
  text += ": " + message;
  if (!hint.empty()) text += "\n  hint: " + hint;
  if (!spec.empty()) text += "\n  spec: " + spec;
  if (!excerpt.empty()) text += "\n" + excerpt;
  if (!log.empty()) text += "\n" + log;
  return text;
}

BadResult::BadResult(Error error)
    : error_(std::make_shared<const Error>(std::move(error))),
      text_(std::make_shared<const std::string>(error_->text())) {}

BadResult::~BadResult() = default;

const char* BadResult::what() const noexcept {
  return text_->c_str();
}

}  // namespace lathe
