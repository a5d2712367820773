// MemoryStore: the entries used last, up to a number of bytes.
#pragma once

#include <atomic>
#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <mutex>

#include "cache/store.h"

namespace lathe::cache {

/// Thread-safe. An entry larger than the limit is not kept, which is no error.
class MemoryStore : public Store {
 public:
  explicit MemoryStore(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  Result<std::optional<Entry>> get(const Digest& key, std::string_view key_text) override;
  Result<void> put(const Entry& entry) override;
  Result<bool> remove(const Digest& key) override;
  Result<void> for_each(const std::function<bool(const Digest&, const Entry&)>& visit) override;
  std::string describe() const override { return "memory"; }
  std::uint64_t corrupt_count() const override { return 0; }

 private:
  struct Item {
    Digest key;
    std::shared_ptr<const Entry> entry;
    std::size_t bytes;
  };

  void drop(std::list<Item>::iterator item);

  const std::size_t max_bytes_;
  std::mutex mutex_;
  std::size_t bytes_ = 0;
  std::list<Item> items_;  // most recently used first
  std::map<Digest, std::list<Item>::iterator> by_key_;
};

}  // namespace lathe::cache
