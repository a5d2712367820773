// Flagged: a result with a predicate beside it.
#pragma once

namespace lathe::runtime::ptx {

template <class T>
struct Flagged {
  T value{};
  bool flag = false;

  bool operator==(const Flagged&) const = default;
};

}  // namespace lathe::runtime::ptx
