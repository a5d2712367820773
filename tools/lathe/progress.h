// Progress of a known number of steps: a bar that redraws itself on a terminal, plain lines elsewhere.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "tools/lathe/console.h"

namespace lathe::tools {

/// What a progress line shows.
struct ProgressState {
  std::size_t done = 0;
  std::size_t total = 0;
  std::size_t failed = 0;
  std::chrono::duration<double> elapsed{0};
};

/// "[=====>      ]  12/60  8.1/s  ETA 6 s  1 failed  name", cut to `columns`.
std::string progress_bar(const ProgressState& state, std::string_view current, int columns);

/// "12/60 name": one line for a log.
std::string progress_line(const ProgressState& state, std::string_view current);

/// "0.4 s", "12 s", "3 min 20 s".
std::string format_duration(std::chrono::duration<double> duration);

/// Not thread-safe: calls come one at a time. Writes to the console's stderr only. Removes its bar when it
/// goes.
class Progress {
 public:
  Progress(Console& console, std::size_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// One more step is done. `line` describes it.
  void step(std::string_view line, bool has_failed);

 private:
  Console& console_;
  ProgressState state_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace lathe::tools
