#include "codegen/excerpt.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>

#include <fmt/format.h>

namespace lathe::codegen {

namespace {

constexpr std::size_t kMaxExcerpts = 3;
constexpr int kLinesAround = 3;

/// The location at the head of a line of a log, if what follows says that it is an error.
std::optional<SourceLocation> error_location(std::string_view line) {
  // NVRTC says "error" and "error #20", and "catastrophic error" of a header that it cannot open.
  const std::size_t error = std::min({line.find("): error"), line.find("): catastrophic error"),
                                      line.find(": error:"), line.find(": fatal error:")});
  if (error == std::string_view::npos) return std::nullopt;
  const std::string_view place = line.substr(0, error);
  const std::size_t parenthesis = place.rfind('(');
  const bool is_nvrtc = line[error] == ')' && parenthesis != std::string_view::npos;
  const std::size_t name_end = is_nvrtc ? parenthesis : place.find(':');
  if (name_end == std::string_view::npos) return std::nullopt;
  SourceLocation location{.file = std::string(place.substr(0, name_end))};
  const std::string_view number = place.substr(name_end + 1);
  std::from_chars(number.data(), number.data() + number.size(), location.line);
  return location.line > 0 ? std::optional(std::move(location)) : std::nullopt;
}

const std::string* text_of(std::string_view file, const KernelSource& source) {
  if (file == source.name) return &source.text;
  for (const SourceFile& header : source.headers) {
    if (header.name == file) return &header.text;
  }
  return nullptr;
}

void append_excerpt(std::string& out, const SourceLocation& location, std::string_view text) {
  fmt::format_to(std::back_inserter(out), "{}:\n", location.file);
  for (int line = 1; !text.empty() && line <= location.line + kLinesAround; ++line) {
    const std::size_t end = text.find('\n');
    if (line >= location.line - kLinesAround) {
      fmt::format_to(std::back_inserter(out), "{} {:5} | {}\n", line == location.line ? '>' : ' ', line,
                     text.substr(0, end));
    }
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
}

}  // namespace

std::vector<SourceLocation> error_locations(std::string_view log) {
  std::vector<SourceLocation> locations;
  while (!log.empty()) {
    const std::size_t end = log.find('\n');
    auto location = error_location(log.substr(0, end));
    log = end == std::string_view::npos ? std::string_view{} : log.substr(end + 1);
    const auto is_same = [&](const SourceLocation& other) {
      return other.file == location->file && other.line == location->line;
    };
    if (location && std::none_of(locations.begin(), locations.end(), is_same))
      locations.push_back(*std::move(location));
  }
  return locations;
}

std::string excerpt_around(std::span<const SourceLocation> locations, const KernelSource& source) {
  std::string out;
  for (const SourceLocation& location : locations.first(std::min(locations.size(), kMaxExcerpts))) {
    if (const std::string* text = text_of(location.file, source)) append_excerpt(out, location, *text);
  }
  return out;
}

}  // namespace lathe::codegen
