// BinaryCache: the stores as the pipeline sees them. Nothing here fails: a cache that does not work costs
// time, not kernels.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lathe/target.h>

#include "cache/disk_store.h"
#include "cache/file_lock.h"
#include "cache/overlay_store.h"
#include "codegen/kernel_binary.h"
#include "runtime/counters.h"
#include "runtime/key.h"

namespace lathe::runtime {

struct CachedBinary {
  codegen::KernelBinary binary;
  std::string found_in;  ///< Store::describe()
  bool in_memory = false;
};

/// The entry that is most like a key, for messages.
struct NearestEntry {
  std::string key;                       ///< hexadecimal; empty: there is no entry at all
  std::vector<std::string> differences;  ///< "target: cuda:sm_80 wanted, cuda:sm_90a there"
};

/// Thread-safe. Failures of the stores are counted, told as warnings, and otherwise treated as misses.
class BinaryCache {
 public:
  /// `memory` is the layer whose hits count as memory hits; `disk`, which may be null, is where locks live.
  /// Both are layers of `stores`. REQUIRES: `counters` outlives this.
  BinaryCache(std::shared_ptr<cache::OverlayStore> stores, std::shared_ptr<cache::DiskStore> disk,
              Counters& counters)
      : stores_(std::move(stores)), disk_(std::move(disk)), counters_(counters) {}

  std::optional<CachedBinary> find(const KernelKey& key);
  void publish(const KernelKey& key, const codegen::KernelBinary& binary, const std::string& spec_json);
  void drop(const KernelKey& key);

  /// Empty when there is no directory for locks, locks do not work there, or the wait was too long: then the
  /// caller compiles all the same, since doing work twice beats hanging. `waited`: somebody else held it at
  /// first, so the kernel may be there by now.
  struct CompileLock {
    std::optional<cache::FileLock> lock;
    bool waited = false;
  };
  CompileLock lock_for_compile(const KernelKey& key, std::chrono::milliseconds timeout);

  /// The compilers that made the entries for a target, for machines that have none. Reads every entry.
  std::vector<std::string> compiler_identities(const Target& target);

  /// Reads every entry.
  NearestEntry nearest(const KernelKey& key);

  /// "memory: miss", "disk /path: hit", ... in the order searched.
  std::vector<std::string> search_report(const KernelKey& key);

  std::uint64_t corrupt_count() const { return stores_->corrupt_count(); }

 private:
  void note_failure(const Error& error);

  std::shared_ptr<cache::OverlayStore> stores_;
  std::shared_ptr<cache::DiskStore> disk_;
  Counters& counters_;
};

/// The labels in which two key texts differ, as NearestEntry::differences has them.
std::vector<std::string> differences_of(std::string_view wanted_text, std::string_view there_text);

}  // namespace lathe::runtime
