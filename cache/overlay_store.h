// OverlayStore: several stores, searched in order.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "cache/store.h"

namespace lathe::cache {

struct OverlayLayer {
  std::shared_ptr<Store> store;
  bool promote = false;    ///< what is found further down is put here too
  bool read_only = false;  ///< never put to or removed from
};

/// Thread-safe if its layers are. A layer that fails does not hide those below it.
class OverlayStore : public Store {
 public:
  explicit OverlayStore(std::vector<OverlayLayer> layers) : layers_(std::move(layers)) {}

  struct Found {
    Entry entry;
    std::size_t layer;  ///< index into layers()
  };
  /// The first layer's that has it. An error only if a layer failed and no other had it: the first failure.
  Result<std::optional<Found>> find(const Digest& key, std::string_view key_text);
  std::span<const OverlayLayer> layers() const { return layers_; }

  Result<std::optional<Entry>> get(const Digest& key, std::string_view key_text) override;
  /// To every layer that is not read-only; the first failure is returned after all were tried.
  Result<void> put(const Entry& entry) override;
  Result<bool> remove(const Digest& key) override;
  /// Each key once, of the uppermost layer that has it.
  Result<void> for_each(const std::function<bool(const Digest&, const Entry&)>& visit) override;
  std::string describe() const override;
  std::uint64_t corrupt_count() const override;

 private:
  const std::vector<OverlayLayer> layers_;
};

}  // namespace lathe::cache
