// Store: bytes under a key. Knows nothing of kernels.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <lathe/error.h>

#include "cache/digest.h"
#include "cache/entry.h"

namespace lathe::cache {

/// Implementations: memory, disk, overlay of several. Thread-safe.
class Store {
 public:
  virtual ~Store() = default;

  /// An empty optional is a miss: no entry, or one that is torn, altered, of another version, or whose key
  /// text is not `key_text` (those are counted as corrupt and, where possible, removed). An error is a
  /// failure to read (permission, I/O); callers log it and treat it as a miss.
  virtual Result<std::optional<Entry>> get(const Digest& key, std::string_view key_text) = 0;

  /// Publishes under digest_of(entry.key_text), replacing what is there. Atomic: readers see the old or the
  /// new entry whole.
  virtual Result<void> put(const Entry& entry) = 0;

  /// True if there was one.
  virtual Result<bool> remove(const Digest& key) = 0;

  /// Calls `visit` for each sound entry until it returns false. Order is not defined.
  virtual Result<void> for_each(const std::function<bool(const Digest&, const Entry&)>& visit) = 0;

  /// "memory", "disk /home/u/.cache/lathe": for messages.
  virtual std::string describe() const = 0;

  /// Entries that were dropped because they were damaged.
  virtual std::uint64_t corrupt_count() const = 0;
};

}  // namespace lathe::cache
