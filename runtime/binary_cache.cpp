#include "runtime/binary_cache.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "runtime/binary_codec.h"

namespace lathe::runtime {

void BinaryCache::note_failure(const Error& error) {
  counters_.store_failures.fetch_add(1, std::memory_order_relaxed);
  counters_.warn(error.message);
}

std::optional<CachedBinary> BinaryCache::find(const KernelKey& key) {
  auto found = stores_->find(key.digest, key.text);
  if (!found) {
    note_failure(found.error());
    return std::nullopt;
  }
  if (!*found) return std::nullopt;
  const cache::OverlayLayer& layer = stores_->layers()[(*found)->layer];
  auto binary = from_entry(std::move((*found)->entry));
  if (!binary) {
    // Sound as a file, but not written by this version of Lathe: as good as damaged.
    counters_.undecodable.fetch_add(1, std::memory_order_relaxed);
    drop(key);
    return std::nullopt;
  }
  return CachedBinary{*std::move(binary), layer.store->describe(), layer.promote};
}

void BinaryCache::publish(const KernelKey& key, const codegen::KernelBinary& binary,
                          const std::string& spec_json) {
  if (const auto put = stores_->put(to_entry(key, binary, spec_json)); !put) {
    note_failure(put.error());
    return;
  }
  counters_.tell(Event::Kind::published, key.digest.hex(), key.text);
}

void BinaryCache::drop(const KernelKey& key) {
  if (const auto removed = stores_->remove(key.digest); !removed) note_failure(removed.error());
}

BinaryCache::CompileLock BinaryCache::lock_for_compile(const KernelKey& key,
                                                       std::chrono::milliseconds timeout) {
  if (!disk_) return {};
  // First without waiting, to know whether there was anything to wait for.
  if (auto lock = disk_->lock(key.digest, std::chrono::milliseconds(0))) return {*std::move(lock), false};
  counters_.lock_waits.fetch_add(1, std::memory_order_relaxed);
  auto lock = disk_->lock(key.digest, timeout);
  if (lock) return {*std::move(lock), true};
  counters_.lock_timeouts.fetch_add(1, std::memory_order_relaxed);
  counters_.warn(lock.error().message);
  return {std::nullopt, true};
}

std::vector<std::string> BinaryCache::compiler_identities(const Target& target) {
  std::vector<std::string> identities;
  const auto visited = stores_->for_each([&](const cache::Digest&, const cache::Entry& entry) {
    if (key_field(entry.key_text, "target") != target.text()) return true;
    std::string identity = key_field(entry.key_text, "compiler");
    if (std::find(identities.begin(), identities.end(), identity) == identities.end()) {
      identities.push_back(std::move(identity));
    }
    return true;
  });
  if (!visited) note_failure(visited.error());
  // Stores visit in no order; which of two equally good kernels is taken should not depend on it.
  std::sort(identities.begin(), identities.end(), std::greater<>());
  return identities;
}

NearestEntry BinaryCache::nearest(const KernelKey& key) {
  NearestEntry nearest;
  std::size_t fewest = std::numeric_limits<std::size_t>::max();
  const auto visited = stores_->for_each([&](const cache::Digest& digest, const cache::Entry& entry) {
    std::vector<std::string> differences = differences_of(key.text, entry.key_text);
    if (differences.size() < fewest || (differences.size() == fewest && digest.hex() < nearest.key)) {
      fewest = differences.size();
      nearest = {digest.hex(), std::move(differences)};
    }
    return true;
  });
  if (!visited) note_failure(visited.error());
  return nearest;
}

std::vector<std::string> BinaryCache::search_report(const KernelKey& key) {
  std::vector<std::string> report;
  for (const cache::OverlayLayer& layer : stores_->layers()) {
    const auto entry = layer.store->get(key.digest, key.text);
    report.push_back(fmt::format("{}: {}", layer.store->describe(),
                                 !entry ? entry.error().message : std::string(*entry ? "hit" : "miss")));
  }
  return report;
}

std::vector<std::string> differences_of(std::string_view wanted_text, std::string_view there_text) {
  const auto wanted = key_fields(wanted_text);
  const auto there = key_fields(there_text);
  const auto value_in = [](const auto& fields, const std::string& label) -> const std::string* {
    for (const auto& [name, value] : fields) {
      if (name == label) return &value;
    }
    return nullptr;
  };
  std::vector<std::string> differences;
  for (const auto& [label, value] : wanted) {
    const std::string* other = value_in(there, label);
    if (other == nullptr) {
      differences.push_back(fmt::format("{}: {} wanted, absent there", label, value));
    } else if (*other != value) {
      differences.push_back(fmt::format("{}: {} wanted, {} there", label, value, *other));
    }
  }
  for (const auto& [label, value] : there) {
    if (value_in(wanted, label) == nullptr) {
      differences.push_back(fmt::format("{}: absent here, {} there", label, value));
    }
  }
  return differences;
}

}  // namespace lathe::runtime
