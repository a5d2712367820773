// Where a kernel runs: a backend and an architecture.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/error.h>
#include <lathe/export.h>

namespace lathe {

enum class Backend : std::uint8_t {
  cuda,     ///< an NVIDIA GPU through the CUDA driver
  cpu,      ///< this machine's processor
  emulate,  ///< GPU code, run and checked instruction by instruction on the processor
};

LATHE_API std::string_view name_of(Backend backend);

/// A backend and an architecture, written `cuda:sm_90a`, `emulate:sm_80`, `cpu:x86-64-v3` or
/// `cpu:sapphirerapids+avx512f+...`.
///
/// For the CPU, `features` empty means all that the named processor has; otherwise exactly those listed are
/// used and the name only steers scheduling. `native` as the architecture stands for the machine at hand; a
/// Runtime replaces it before the target is used anywhere, so no key ever contains it.
struct Target {
  Backend backend = Backend::cpu;
  std::string arch = "native";
  std::vector<std::string> features{};  ///< CPU only; sorted, without the plus sign

  /// Parses the written form. "cuda", "cpu" and "emulate" alone mean `native`; for the emulator that is
  /// sm_90a.
  LATHE_API static Result<Target> parse(std::string_view text);
  LATHE_API std::string text() const;
  bool is_native() const { return arch == "native"; }

  friend bool operator==(const Target&, const Target&) = default;
};

}  // namespace lathe
