// Past: which accesses happened before something, told by vector clocks. What the race detector orders by.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace lathe::runtime::ptx {

/// A warp counts how often it has published what it did; accesses are stamped with that count. From 1; 0:
/// none.
using Epoch = std::uint32_t;

/// For each warp of a cluster the last epoch whose accesses are included.
class VectorClock {
 public:
  explicit VectorClock(std::size_t warps) : epochs_(warps, 0) {}

  Epoch operator[](std::size_t warp) const { return epochs_[warp]; }
  void advance(std::size_t warp) { ++epochs_[warp]; }
  void join(const VectorClock& other) {
    for (std::size_t i = 0; i < epochs_.size(); ++i) epochs_[i] = std::max(epochs_[i], other.epochs_[i]);
  }
  bool covers(const VectorClock& other) const {
    return std::equal(epochs_.begin(), epochs_.end(), other.epochs_.begin(),
                      [](Epoch mine, Epoch its) { return mine >= its; });
  }

 private:
  std::vector<Epoch> epochs_;
};

class Past;
/// nullptr: nothing.
using PastPointer = std::shared_ptr<const Past>;

/// The clocks of those clusters that have anything in it. Immutable, since it is handed from thread to
/// thread. The clocks are shared: one past usually differs from another in a single cluster.
class Past {
 public:
  /// `others`, with this clock for the cluster instead of what they say of it.
  static PastPointer with(const PastPointer& others, std::uint32_t cluster, const VectorClock& clock);

  /// nullptr: nothing of that cluster.
  const VectorClock* clock_of(std::uint32_t cluster) const;

  /// What is in either of them.
  friend PastPointer joined(const PastPointer& a, const PastPointer& b);

 private:
  struct Entry {
    std::uint32_t cluster = 0;
    std::shared_ptr<const VectorClock> clock;
  };
  bool covers(const Past& other) const;
  static Entry joined_entry(const Entry& a, const Entry& b);

  std::vector<Entry> entries_;  // by cluster
};

PastPointer joined(const PastPointer& a, const PastPointer& b);

}  // namespace lathe::runtime::ptx
