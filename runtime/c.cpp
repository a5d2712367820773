// The C interface over Runtime. No exception leaves it: out of memory becomes an error like any other.
#include <lathe/c.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include <lathe/lathe.h>

#include "codegen/spec_json.h"
#include "runtime/base/try.h"
#include "runtime/options_json.h"

using lathe::Error;
using lathe::ErrorCode;
using lathe::Result;
using lathe::Stage;
using nlohmann::json;

struct lathe_runtime {
  lathe::Runtime runtime;
  std::string target;
};
struct lathe_kernel {
  lathe::Kernel kernel;
  std::string key;
};
struct lathe_error {
  std::string code;
  std::string message;
  std::string text;
};

static_assert(sizeof(lathe_rms_norm_args) == sizeof(lathe::RmsNormArgs));
static_assert(offsetof(lathe_rms_norm_args, y) == offsetof(lathe::RmsNormArgs, y));
static_assert(offsetof(lathe_rms_norm_args, rows) == offsetof(lathe::RmsNormArgs, rows));
static_assert(offsetof(lathe_rms_norm_args, residual_out_head_stride) ==
              offsetof(lathe::RmsNormArgs, residual_out_head_stride));
static_assert(offsetof(lathe_rms_norm_args, epsilon) == offsetof(lathe::RmsNormArgs, epsilon));
static_assert(offsetof(lathe_rms_norm_args, partials) == offsetof(lathe::RmsNormArgs, partials));

namespace {

/// Runs `body`, which returns Result<void>, and turns its failure into what C can hold.
template <class Body>
lathe_error* guarded(Body&& body) {
  try {
    if (Result<void> done = body(); !done) {
      return new lathe_error{std::string(name_of(done.error().code)), done.error().message,
                             done.error().text()};
    }
    return nullptr;
  } catch (const std::exception& failure) {
    return new (std::nothrow)
        lathe_error{std::string(name_of(ErrorCode::internal)), failure.what(), failure.what()};
  }
}

Error null_argument(const char* name) {
  return {
      .code = ErrorCode::invalid_argument, .stage = Stage::api, .message = std::string(name) + " is NULL"};
}

Result<void> give_text(const json& value, char** text) {
  if (text == nullptr) return null_argument("json");
  const std::string dumped = value.dump(-1, ' ', false, json::error_handler_t::replace);
  auto copy = std::make_unique<char[]>(dumped.size() + 1);
  std::memcpy(copy.get(), dumped.c_str(), dumped.size() + 1);
  *text = copy.release();
  return {};
}

}  // namespace

const char* lathe_version(void) {
  return LATHE_VERSION;
}

lathe_error* lathe_open(const char* options_json, lathe_runtime** runtime) {
  return guarded([&]() -> Result<void> {
    if (runtime == nullptr) return null_argument("runtime");
    LATHE_TRY(const lathe::Options options,
              lathe::runtime::options_from_json(options_json == nullptr ? "{}" : options_json));
    LATHE_TRY(lathe::Runtime opened, lathe::Runtime::open(options));
    std::string target = opened.target().text();
    *runtime = new lathe_runtime{std::move(opened), std::move(target)};
    return {};
  });
}

void lathe_close(lathe_runtime* runtime) {
  delete runtime;
}

const char* lathe_target(const lathe_runtime* runtime) {
  return runtime->target.c_str();
}

lathe_error* lathe_get(lathe_runtime* runtime, const char* spec_json, lathe_kernel** kernel) {
  return guarded([&]() -> Result<void> {
    if (runtime == nullptr || spec_json == nullptr || kernel == nullptr)
      return null_argument("runtime, spec or kernel");
    LATHE_TRY(const lathe::KernelSpec spec, lathe::codegen::spec_from_json(spec_json));
    LATHE_TRY(lathe::Kernel made, runtime->runtime.get_kernel(spec));
    std::string key = made.key();
    *kernel = new lathe_kernel{std::move(made), std::move(key)};
    return {};
  });
}

lathe_error* lathe_prefetch(lathe_runtime* runtime, const char* spec_json) {
  return guarded([&]() -> Result<void> {
    if (runtime == nullptr || spec_json == nullptr) return null_argument("runtime or spec");
    LATHE_TRY(const lathe::KernelSpec spec, lathe::codegen::spec_from_json(spec_json));
    runtime->runtime.prefetch({&spec, 1});
    return {};
  });
}

lathe_error* lathe_precompile(lathe_runtime* runtime, const char* spec_json, const char* target) {
  return guarded([&]() -> Result<void> {
    if (runtime == nullptr || spec_json == nullptr || target == nullptr)
      return null_argument("runtime, spec or target");
    LATHE_TRY(lathe::PrecompileItem item,
              lathe::codegen::spec_from_json(spec_json).transform(
                  [](lathe::KernelSpec spec) { return lathe::PrecompileItem{std::move(spec), {}}; }));
    LATHE_TRY(item.target, lathe::Target::parse(target));
    auto outcomes = runtime->runtime.precompile({&item, 1});
    if (outcomes.front().error) return *std::move(outcomes.front().error);
    return {};
  });
}

void lathe_kernel_free(lathe_kernel* kernel) {
  delete kernel;
}

const char* lathe_kernel_key(const lathe_kernel* kernel) {
  return kernel->key.c_str();
}

lathe_error* lathe_launch(const lathe_kernel* kernel, const void* args, size_t args_size, void* stream) {
  return guarded([&]() -> Result<void> {
    if (kernel == nullptr) return null_argument("kernel");
    return kernel->kernel.launch_bytes(args, args_size, stream);
  });
}

lathe_error* lathe_workspace_bytes(const lathe_kernel* kernel, const void* args, size_t args_size,
                                   size_t* bytes) {
  return guarded([&]() -> Result<void> {
    if (kernel == nullptr || bytes == nullptr) return null_argument("kernel or bytes");
    LATHE_TRY(*bytes, kernel->kernel.workspace_bytes_for(args, args_size));
    return {};
  });
}

lathe_error* lathe_synchronize(lathe_runtime* runtime, void* stream) {
  return guarded([&]() -> Result<void> {
    if (runtime == nullptr) return null_argument("runtime");
    return runtime->runtime.synchronize(stream);
  });
}

lathe_error* lathe_stats(const lathe_runtime* runtime, char** text) {
  return guarded([&]() -> Result<void> {
    if (runtime == nullptr) return null_argument("runtime");
    const lathe::Stats stats = runtime->runtime.stats();
    return give_text({{"table_hits", stats.table_hits},
                      {"memory_hits", stats.memory_hits},
                      {"disk_hits", stats.disk_hits},
                      {"misses", stats.misses},
                      {"compiles", stats.compiles},
                      {"compile_failures", stats.compile_failures},
                      {"lock_waits", stats.lock_waits},
                      {"lock_timeouts", stats.lock_timeouts},
                      {"corrupt_entries", stats.corrupt_entries},
                      {"store_failures", stats.store_failures},
                      {"compile_ms", static_cast<double>(stats.compile_time.count()) / 1e6},
                      {"warnings", stats.warnings}},
                     text);
  });
}

lathe_error* lathe_explain(const lathe_runtime* runtime, const char* spec_json, char** text) {
  return guarded([&]() -> Result<void> {
    if (runtime == nullptr || spec_json == nullptr) return null_argument("runtime or spec");
    LATHE_TRY(const lathe::KernelSpec spec, lathe::codegen::spec_from_json(spec_json));
    LATHE_TRY(const lathe::Explanation explanation, runtime->runtime.explain(spec));
    return give_text({{"key", explanation.key},
                      {"key_text", explanation.key_text},
                      {"found_in", explanation.found_in},
                      {"searched", explanation.searched},
                      {"nearest", explanation.nearest},
                      {"differences", explanation.differences}},
                     text);
  });
}

void lathe_text_free(char* text) {
  delete[] text;
}

const char* lathe_error_code(const lathe_error* error) {
  return error->code.c_str();
}
const char* lathe_error_message(const lathe_error* error) {
  return error->message.c_str();
}
const char* lathe_error_text(const lathe_error* error) {
  return error->text.c_str();
}
void lathe_error_free(lathe_error* error) {
  delete error;
}
