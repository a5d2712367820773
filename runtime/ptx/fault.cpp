#include "runtime/ptx/fault.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

namespace lathe::runtime::ptx {

namespace {

std::string position(const codegen::Dim3& at) {
  return fmt::format("({}, {}, {})", at.x, at.y, at.z);
}

std::string where(const Fault& fault) {
  std::string text = fmt::format("block {}", position(fault.block));
  if (fault.thread) text += fmt::format(", thread {}", position(*fault.thread));
  if (fault.origin.line != 0) text += fmt::format(", PTX line {}", fault.origin.line);
  if (!fault.origin.source.empty()) text += fmt::format(", {}", fault.origin.source);
  return text;
}

auto order(const Fault& fault) {
  const codegen::Dim3 thread = fault.thread.value_or(codegen::Dim3{0, 0, 0});
  return std::tuple(fault.block.z, fault.block.y, fault.block.x, thread.z, thread.y, thread.x);
}

}  // namespace

std::string_view name_of(FaultKind kind) {
  switch (kind) {
    case FaultKind::out_of_bounds:
      return "access out of bounds";
    case FaultKind::misaligned:
      return "misaligned access";
    case FaultKind::read_only:
      return "store to constant memory";
    case FaultKind::uninitialized:
      return "use of a value that was never written";
    case FaultKind::race:
      return "data race";
    case FaultKind::divergence:
      return "divergent lanes";
    case FaultKind::deadlock:
      return "deadlock";
    case FaultKind::illegal:
      return "illegal instruction";
    case FaultKind::trap:
      return "trap";
  }
  return "fault";
}

void FaultLog::add(Fault fault) {
  const std::lock_guard lock(mutex_);
  faults_.push_back(std::move(fault));
  is_empty_.store(false, std::memory_order_release);
}

Error FaultLog::error(std::string_view kernel) const {
  const std::lock_guard lock(mutex_);
  // Blocks run at once, so the first to be logged differs from run to run; the first of the grid less so.
  const auto first = std::min_element(faults_.begin(), faults_.end(),
                                      [](const Fault& a, const Fault& b) { return order(a) < order(b); });
  std::string log;
  for (const Fault& fault : faults_) {
    log += fmt::format("{}: {} at {}\n", name_of(fault.kind), fault.message, where(fault));
    if (!fault.origin.text.empty()) log += fmt::format("    {}\n", fault.origin.text);
  }
  return {
      .code = ErrorCode::launch_failed,
      .stage = Stage::launch,
      .message = fmt::format("{}: {}: {} at {}", kernel, name_of(first->kind), first->message, where(*first)),
      .hint = {},
      .spec = {},
      .log = std::move(log),
      .excerpt = first->origin.text};
}

}  // namespace lathe::runtime::ptx
