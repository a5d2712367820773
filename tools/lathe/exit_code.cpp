#include "tools/lathe/exit_code.h"

namespace lathe::tools {

ExitCode exit_code_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::invalid_spec:
      return ExitCode::usage;
    case ErrorCode::toolchain_missing:
    case ErrorCode::device_missing:
    case ErrorCode::unsupported:
      return ExitCode::toolchain;
    case ErrorCode::io_failed:
      return error.stage == Stage::store ? ExitCode::cache : ExitCode::usage;
    case ErrorCode::frozen_miss:
      return ExitCode::incomplete;
    case ErrorCode::cancelled:
      return ExitCode::interrupted;
    case ErrorCode::render_failed:
    case ErrorCode::compile_failed:
    case ErrorCode::load_failed:
    case ErrorCode::launch_failed:
    case ErrorCode::out_of_memory:
    case ErrorCode::internal:
      return ExitCode::failed;
  }
  return ExitCode::failed;
}

}  // namespace lathe::tools
