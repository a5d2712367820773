/* The C interface: the verbs of <lathe/runtime.h> for other languages.
 *
 * Every function that can fail returns NULL on success and an error otherwise, which the caller frees with
 * lathe_error_free. Handles are freed with their own functions; kernels may outlive the runtime that made
 * them. All functions are thread-safe. Texts are UTF-8. Specs and options are JSON, so that this interface
 * does not grow with each op.
 */
#ifndef LATHE_C_H
#define LATHE_C_H

#include <stddef.h>

#if defined(LATHE_STATIC)
#define LATHE_C_API
#else
#define LATHE_C_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lathe_runtime lathe_runtime;
typedef struct lathe_kernel lathe_kernel;
typedef struct lathe_error lathe_error;

/* lathe::RmsNormArgs; see rms_norm_args.h. A stride of 0 means tightly packed. */
typedef struct lathe_rms_norm_args {
  const void* x;
  const void* weight;
  void* y;
  const void* residual_in;
  void* residual_out;
  float* rstd;
  long long rows;
  long long x_row_stride;
  long long y_row_stride;
  long long residual_in_row_stride;
  long long residual_out_row_stride;
  long long x_head_stride;
  long long y_head_stride;
  long long residual_in_head_stride;
  long long residual_out_head_stride;
  float epsilon;
  float amax_floor; /* 1e-30 or larger where the spec makes scales */
  const float* y_scale_in;
  float* y_scale_out;
  long long y_scale_row_stride;
  long long y_scale_head_stride;
  long long y_scale_block_stride;
  void* workspace;
  long long workspace_bytes;
  long long partials; /* set by the launch */
} lathe_rms_norm_args;

/* "0.1.0" */
LATHE_C_API const char* lathe_version(void);

/* Runtime::open. `options_json` is NULL or an object with any of: "target", "device", "cache_dir",
 * "read_only_cache_dirs", "disk_cache", "mode", "record_file", "nvrtc_path", "template_dir",
 * "lock_timeout_ms", "compile_threads", "emulator_check", "emulator_seed". */
LATHE_C_API lathe_error* lathe_open(const char* options_json, lathe_runtime** runtime);
LATHE_C_API void lathe_close(lathe_runtime* runtime);

/* "cuda:sm_90a". Valid as long as the runtime. */
LATHE_C_API const char* lathe_target(const lathe_runtime* runtime);

/* Runtime::get: {"op": "rms_norm", "hidden_size": 4096, ...}; `lathe spec` lists the fields. */
LATHE_C_API lathe_error* lathe_get(lathe_runtime* runtime, const char* spec_json, lathe_kernel** kernel);
/* Runtime::prefetch of one spec: starts the work and returns. */
LATHE_C_API lathe_error* lathe_prefetch(lathe_runtime* runtime, const char* spec_json);
/* Compiles for a target, present or not, into the cache. */
LATHE_C_API lathe_error* lathe_precompile(lathe_runtime* runtime, const char* spec_json, const char* target);
LATHE_C_API void lathe_kernel_free(lathe_kernel* kernel);
/* 32 hexadecimal digits. Valid as long as the kernel. */
LATHE_C_API const char* lathe_kernel_key(const lathe_kernel* kernel);

/* Kernel::launch_bytes. `args` points to the args struct of the kernel's op; `stream` is a CUstream, or NULL.
 */
LATHE_C_API lathe_error* lathe_launch(const lathe_kernel* kernel, const void* args, size_t args_size,
                                      void* stream);
/* Kernel::workspace_bytes_for: what a launch with these arguments needs as workspace. */
LATHE_C_API lathe_error* lathe_workspace_bytes(const lathe_kernel* kernel, const void* args, size_t args_size,
                                               size_t* bytes);
LATHE_C_API lathe_error* lathe_synchronize(lathe_runtime* runtime, void* stream);

/* Runtime::stats and Runtime::explain as JSON objects; free the text with lathe_text_free. */
LATHE_C_API lathe_error* lathe_stats(const lathe_runtime* runtime, char** json);
LATHE_C_API lathe_error* lathe_explain(const lathe_runtime* runtime, const char* spec_json, char** json);
LATHE_C_API void lathe_text_free(char* text);

/* The code ("invalid spec", "device missing", ...), the message alone, and all of it for a person. */
LATHE_C_API const char* lathe_error_code(const lathe_error* error);
LATHE_C_API const char* lathe_error_message(const lathe_error* error);
LATHE_C_API const char* lathe_error_text(const lathe_error* error);
LATHE_C_API void lathe_error_free(lathe_error* error);

#ifdef __cplusplus
}
#endif

#endif /* LATHE_C_H */
