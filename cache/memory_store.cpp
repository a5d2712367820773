#include "cache/memory_store.h"

#include <vector>

namespace lathe::cache {

namespace {

std::size_t size_of_entry(const Entry& entry) {
  std::size_t bytes = sizeof entry + entry.key_text.size() + entry.metadata.size() + entry.creator.size();
  for (const Section& section : entry.sections) bytes += section.name.size() + section.bytes.size();
  return bytes;
}

}  // namespace

void MemoryStore::drop(std::list<Item>::iterator item) {
  bytes_ -= item->bytes;
  by_key_.erase(item->key);
  items_.erase(item);
}

Result<std::optional<Entry>> MemoryStore::get(const Digest& key, std::string_view key_text) {
  std::shared_ptr<const Entry> entry;
  {
    std::lock_guard lock(mutex_);
    const auto found = by_key_.find(key);
    if (found == by_key_.end() || found->second->entry->key_text != key_text) return std::optional<Entry>{};
    items_.splice(items_.begin(), items_, found->second);
    entry = found->second->entry;
  }
  return std::optional(*entry);  // copied outside the lock
}

Result<void> MemoryStore::put(const Entry& entry) {
  const std::size_t bytes = size_of_entry(entry);
  const Digest key = digest_of(entry.key_text);
  auto shared = std::make_shared<const Entry>(entry);
  std::lock_guard lock(mutex_);
  if (const auto old = by_key_.find(key); old != by_key_.end()) drop(old->second);
  if (bytes > max_bytes_) return {};
  while (bytes_ + bytes > max_bytes_) drop(std::prev(items_.end()));
  items_.push_front({key, std::move(shared), bytes});
  by_key_[key] = items_.begin();
  bytes_ += bytes;
  return {};
}

Result<bool> MemoryStore::remove(const Digest& key) {
  std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return false;
  drop(found->second);
  return true;
}

Result<void> MemoryStore::for_each(const std::function<bool(const Digest&, const Entry&)>& visit) {
  std::vector<Item> items;
  {
    std::lock_guard lock(mutex_);
    items.assign(items_.begin(), items_.end());
  }
  for (const Item& item : items) {
    if (!visit(item.key, *item.entry)) break;
  }
  return {};
}

}  // namespace lathe::cache
