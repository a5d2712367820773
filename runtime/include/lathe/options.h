// Options of a Runtime.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <lathe/emulator.h>
#include <lathe/error.h>
#include <lathe/export.h>
#include <lathe/target.h>

namespace lathe {

/// What to do when no store holds a kernel.
enum class Mode : std::uint8_t {
  compile,  ///< compile it
  frozen,   ///< fail with ErrorCode::frozen_miss, naming the nearest entry and how it differs
  record,   ///< compile it, and append each new spec to Options::record_file
};

/// Something that happened inside a Runtime. Delivered on the thread it happened on, never under a lock.
struct Event {
  enum class Kind : std::uint8_t { memory_hit, disk_hit, miss, compiled, published, loaded, warning };
  Kind kind = Kind::warning;
  std::string_view key;      ///< 32 hexadecimal digits, empty where there is none
  std::string_view message;  ///< the spec, or for warnings what went wrong
  std::chrono::nanoseconds duration{0};
};

LATHE_API std::string_view name_of(Event::Kind kind);

/// Everything has a default. Unset optionals are taken from the environment variable named, then from the
/// default. The environment is read once, in Runtime::open.
struct Options {
  /// Default: LATHE_TARGET, else the first CUDA device if there is one, else the CPU.
  std::optional<Target> target{};
  /// Ordinal of the CUDA device. Default 0.
  int device = 0;
  /// Default: LATHE_CACHE_DIR, else $XDG_CACHE_HOME/lathe, else ~/.cache/lathe. Created with mode 0700. A
  /// directory of another user, or one that others may write to, is not used.
  std::optional<std::string> cache_dir{};
  /// Directories of cache entries that are only read, searched after cache_dir. LATHE_CACHE_READ_ONLY_DIRS,
  /// separated by ':'.
  std::optional<std::string> read_only_cache_dirs{};
  /// False: nothing is read from or written to disk. Default: LATHE_DISK_CACHE (0 or 1), else true.
  std::optional<bool> disk_cache{};
  /// Default: LATHE_MODE (compile, frozen, record), else compile.
  std::optional<Mode> mode{};
  /// Where Mode::record appends, one JSON object a line. Default: LATHE_RECORD_FILE.
  std::optional<std::string> record_file{};
  /// libnvrtc to open. Default: LATHE_NVRTC, else the usual names and places.
  std::optional<std::string> nvrtc_path{};
  /// Templates are read from here instead of those built in, for those who develop them. Default:
  /// LATHE_TEMPLATE_DIR.
  std::optional<std::string> template_dir{};
  /// How long to wait for another process that compiles the same kernel before compiling it too. Default 60
  /// s.
  std::chrono::milliseconds lock_timeout{60'000};
  /// Bytes of kernel binaries kept in memory beside the loaded kernels.
  std::size_t memory_cache_bytes = 64u << 20;
  /// Emulator only. Default: LATHE_EMULATOR_CHECK (bounds, values or races), else races.
  std::optional<EmulatorCheck> emulator_check{};
  /// Emulator only. Set: warps and diverged lanes run in an order drawn from this seed, so that a missing
  /// barrier shows. Default: LATHE_EMULATOR_SEED, else they run in turn.
  std::optional<std::uint64_t> emulator_seed{};
  /// Emulator only. Called after each launch with what it did, which makes launches slower. Must be
  /// thread-safe. Default: none.
  std::function<void(const LaunchProfile&)> on_launch_profile{};
  /// Threads that compile at once for prefetch and precompile. 0: as many as the cores, quota and memory
  /// allow.
  int compile_threads = 0;
  /// Called for each Event. Must be thread-safe and must not call into the Runtime. Default: none.
  std::function<void(const Event&)> on_event{};
};

}  // namespace lathe
