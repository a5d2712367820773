// The nearest known name, for messages about unknown ones.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::codegen {

/// Insertions, deletions and replacements that turn one text into the other; case does not count.
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      const std::size_t replaced = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
      diagonal = above;
    }
  }
  return row[b.size()];
}

/// "; did you mean NAME?" if one is near enough to be meant, else empty.
inline std::string did_you_mean(std::string_view given, std::span<const std::string_view> known) {
  constexpr std::size_t kLongest = 64;  // of names; a longer text is none of them, and slow to compare
  if (given.size() > kLongest) return {};
  std::string_view best;
  std::size_t least = std::max<std::size_t>(1, given.size() / 3) + 1;
  for (const std::string_view name : known) {
    if (const std::size_t distance = edit_distance(given, name); distance < least) {
      least = distance;
      best = name;
    }
  }
  return best.empty() ? std::string{} : "; did you mean " + std::string(best) + "?";
}

}  // namespace lathe::codegen
