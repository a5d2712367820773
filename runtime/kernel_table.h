// KernelTable: the loaded kernels of a Runtime, and the specs that are known not to compile.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <unordered_map>
#include <variant>

#include <lathe/error.h>
#include <lathe/kernel.h>

#include "codegen/canonical.h"

namespace lathe::runtime {

/// Thread-safe. Look-ups of loaded kernels take one shared lock of a shard. Specs are compared as given, so a
/// spec and its normalized form are two entries of one kernel.
class KernelTable {
 public:
  using Known = std::variant<Kernel, std::shared_ptr<const Error>>;

  std::optional<Known> find(const KernelSpec& spec) const {
    const Shard& shard = shard_of(spec);
    std::shared_lock lock(shard.mutex);
    const auto found = shard.known.find(spec);
    if (found == shard.known.end()) return std::nullopt;
    return found->second;
  }

  /// The first one stays.
  void insert(const KernelSpec& spec, const Known& known) {
    Shard& shard = shard_of(spec);
    std::unique_lock lock(shard.mutex);
    shard.known.try_emplace(spec, known);
  }

 private:
  struct Hash {
    std::size_t operator()(const KernelSpec& spec) const { return codegen::hash_of(spec); }
  };
  struct Shard {
    mutable std::shared_mutex mutex;
    std::unordered_map<KernelSpec, Known, Hash> known;
  };

  const Shard& shard_of(const KernelSpec& spec) const {
    return shards_[(codegen::hash_of(spec) >> 7) % shards_.size()];
  }
  Shard& shard_of(const KernelSpec& spec) { return shards_[(codegen::hash_of(spec) >> 7) % shards_.size()]; }

  std::array<Shard, 16> shards_;
};

}  // namespace lathe::runtime
