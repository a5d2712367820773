#include "cache/overlay_store.h"

#include <set>

#include "runtime/base/try.h"

namespace lathe::cache {

Result<std::optional<OverlayStore::Found>> OverlayStore::find(const Digest& key, std::string_view key_text) {
  std::optional<Error> failure;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    auto entry = layers_[i].store->get(key, key_text);
    if (!entry) {
      if (!failure) failure = std::move(entry).error();
      continue;
    }
    if (!*entry) continue;
    for (std::size_t above = 0; above < i; ++above) {
      // A promotion that fails costs a slower look-up next time, nothing else.
      if (layers_[above].promote) (void)layers_[above].store->put(**entry);
    }
    return std::optional(Found{**std::move(entry), i});
  }
  if (failure) return *std::move(failure);
  return std::optional<Found>{};
}

Result<std::optional<Entry>> OverlayStore::get(const Digest& key, std::string_view key_text) {
  LATHE_TRY(auto found, find(key, key_text));
  if (!found) return std::optional<Entry>{};
  return std::optional(std::move(found->entry));
}

Result<void> OverlayStore::put(const Entry& entry) {
  Result<void> first;
  for (const OverlayLayer& layer : layers_) {
    if (layer.read_only) continue;
    auto done = layer.store->put(entry);
    if (!done && first) first = std::move(done);
  }
  return first;
}

Result<bool> OverlayStore::remove(const Digest& key) {
  bool was_there = false;
  std::optional<Error> failure;
  for (const OverlayLayer& layer : layers_) {
    if (layer.read_only) continue;
    auto removed = layer.store->remove(key);
    if (removed) {
      was_there = was_there || *removed;
    } else if (!failure) {
      failure = std::move(removed).error();
    }
  }
  if (failure) return *std::move(failure);
  return was_there;
}

Result<void> OverlayStore::for_each(const std::function<bool(const Digest&, const Entry&)>& visit) {
  std::set<Digest> seen;
  bool go_on = true;
  Result<void> first;
  for (const OverlayLayer& layer : layers_) {
    if (!go_on) break;
    auto done = layer.store->for_each([&](const Digest& key, const Entry& entry) {
      if (seen.insert(key).second) go_on = visit(key, entry);
      return go_on;
    });
    if (!done && first) first = std::move(done);
  }
  return first;
}

std::string OverlayStore::describe() const {
  std::string text;
  for (const OverlayLayer& layer : layers_) text += (text.empty() ? "" : ", ") + layer.store->describe();
  return text;
}

std::uint64_t OverlayStore::corrupt_count() const {
  std::uint64_t count = 0;
  for (const OverlayLayer& layer : layers_) count += layer.store->corrupt_count();
  return count;
}

}  // namespace lathe::cache
