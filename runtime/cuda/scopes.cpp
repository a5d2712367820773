#include "runtime/cuda/scopes.h"

namespace lathe::runtime::cuda {

ContextScope::ContextScope(const DriverApi& api, Context context) : api_(api) {
  Context current = nullptr;
  status_ = api_.context_get_current(&current);
  if (status_ != Status::success || current == context) return;
  status_ = api_.context_push_current(context);
  pushed_ = status_ == Status::success;
}

ContextScope::~ContextScope() {
  Context popped = nullptr;
  if (pushed_) api_.context_pop_current(&popped);
}

RelaxedCaptureScope::RelaxedCaptureScope(const DriverApi& api)
    : api_(api), exchanged_(api.thread_exchange_capture_mode(&mode_) == Status::success) {}

RelaxedCaptureScope::~RelaxedCaptureScope() {
  if (exchanged_) api_.thread_exchange_capture_mode(&mode_);  // mode_ holds the one that was found
}

}  // namespace lathe::runtime::cuda
