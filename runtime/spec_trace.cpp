#include "runtime/spec_trace.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "codegen/spec_json.h"

namespace lathe::runtime {

Result<void> SpecTrace::add(const KernelSpec& spec, const Target& target) {
  const std::string line =
      fmt::format("{{\"spec\": {}, \"target\": \"{}\"}}\n", codegen::spec_to_json(spec), target.text());
  std::lock_guard lock(mutex_);
  if (!seen_.insert(line).second) return {};
  const int file = open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  const ssize_t written = file < 0 ? -1 : write(file, line.data(), line.size());
  const int reason = errno;
  if (file >= 0) close(file);
  if (written == static_cast<ssize_t>(line.size())) return {};
  seen_.erase(line);
  return Error{.code = ErrorCode::io_failed,
               .stage = Stage::store,
               .message = fmt::format("cannot append to the record file {}: {}", path_,
                                      written < 0 ? std::strerror(reason) : "the line was cut short"),
               .hint = "check LATHE_RECORD_FILE or Options::record_file"};
}

}  // namespace lathe::runtime
