// Finding the CUDA driver at run time. Nothing of CUDA is linked, so one build runs with and without a GPU.
#pragma once

#include <functional>
#include <string>

#include <lathe/error.h>

#include "runtime/cuda/driver_api.h"

namespace lathe::runtime::cuda {

/// The oldest driver that has all required entry points, as cuDriverGetVersion counts: 12.0.
constexpr int kRequiredDriver = 12000;

/// "13.0" for 13000.
std::string driver_version_text(int version);

/// An exported symbol of a library by its name, nullptr where there is none: dlsym, or a test's table.
using SymbolLookup = std::function<void*(const char*)>;

/// Fills the table. Entry points come from cuGetProcAddress in the form that 12.0 had, so that a newer driver
/// cannot change a signature underneath us. Errors: device_missing naming the version needed and the one
/// installed, or the entry point that is not there. Calls nothing but cuDriverGetVersion and
/// cuGetProcAddress.
Result<DriverApi> bind_driver(const SymbolLookup& lookup);

/// Opens the driver's library and binds it. It stays open until the process ends: the driver keeps threads
/// and exit handlers of its own. Errors: device_missing with a hint, with the loader's words in Error::log.
Result<DriverApi> load_driver(const std::string& file = "libcuda.so.1");

}  // namespace lathe::runtime::cuda
