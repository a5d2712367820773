#include "tools/lathe/progress.h"

#include <algorithm>

#include <fmt/format.h>

namespace lathe::tools {

namespace {

constexpr std::size_t kBarCells = 24;

std::string bar(const ProgressState& state) {
  const std::size_t filled = state.total == 0 ? kBarCells : kBarCells * state.done / state.total;
  std::string cells(filled, '=');
  if (filled < kBarCells) cells += '>';
  cells.resize(kBarCells, ' ');
  return cells;
}

std::string rate_and_eta(const ProgressState& state) {
  const double seconds = state.elapsed.count();
  // The first instants say nothing about the rate.
  if (state.done == 0 || seconds < 0.05) return "";
  const double rate = static_cast<double>(state.done) / seconds;
  const std::chrono::duration<double> left(static_cast<double>(state.total - state.done) / rate);
  return fmt::format("  {:.1f}/s  ETA {}", rate, format_duration(left));
}

int digits_of(std::size_t number) {
  return static_cast<int>(std::to_string(number).size());
}

}  // namespace

std::string format_duration(std::chrono::duration<double> duration) {
  const double seconds = duration.count();
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<long long>(seconds + 0.5);
  if (whole < 60) return fmt::format("{} s", whole);
  return fmt::format("{} min {} s", whole / 60, whole % 60);
}

std::string progress_bar(const ProgressState& state, std::string_view current, int columns) {
  std::string line =
      fmt::format("[{}] {:>{}}/{}", bar(state), state.done, digits_of(state.total), state.total);
  line += rate_and_eta(state);
  if (state.failed > 0) line += fmt::format("  {} failed", state.failed);
  if (!current.empty()) line += fmt::format("  {}", current);
  // One column stays free: a full line would wrap on some terminals.
  line.resize(std::min(line.size(), static_cast<std::size_t>(std::max(columns - 1, 1))));
  return line;
}

std::string progress_line(const ProgressState& state, std::string_view current) {
  return fmt::format("{:>{}}/{} {}", state.done, digits_of(state.total), state.total, current);
}

Progress::Progress(Console& console, std::size_t total) : console_(console) {
  state_.total = total;
}

Progress::~Progress() {
  if (console_.style().is_terminal) console_.erase_drawn();
}

void Progress::step(std::string_view line, bool has_failed) {
  state_.done += 1;
  state_.failed += has_failed ? 1 : 0;
  state_.elapsed = std::chrono::steady_clock::now() - begin_;
  if (console_.style().is_terminal) {
    console_.draw(progress_bar(state_, line, console_.style().columns));
  } else {
    console_.note(progress_line(state_, line));
  }
}

}  // namespace lathe::tools
