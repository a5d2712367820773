// The last accesses to each word of memory, for the race detector.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "runtime/ptx/past.h"
#include "runtime/ptx/warp_order.h"

namespace lathe::runtime::ptx {

/// An access of a warp to some bytes of a word.
struct Touch {
  std::uint32_t cluster = 0;
  Epoch epoch = 0;                ///< 0: there was none
  std::uint32_t instruction = 0;  ///< index into Program::origins
  std::uint16_t warp = 0;         ///< of the cluster
  std::uint8_t bytes = 0;         ///< a bit for each
  bool is_write : 1 = false;      ///< or both, as atomics are
  bool is_strong : 1 = false;

  bool conflicts_with(const Touch& other) const {
    return (bytes & other.bytes) != 0 && (is_write || other.is_write) && !(is_strong && other.is_strong);
  }
  /// Whatever races with an earlier access races with this one too, so that it need not be remembered.
  bool stands_for(const Touch& earlier) const {
    return (earlier.bytes & ~bytes) == 0 && is_write >= earlier.is_write && is_strong <= earlier.is_strong;
  }
};

/// The accesses to one word of four bytes that matter: four at most, and reads make room first. A cache line,
/// since memory is what a check waits for.
class alignas(64) AccessedWord {
 public:
  /// A remembered access that `now` races with; nullptr: none, and `now` is remembered.
  const Touch* add(const Touch& now, const WarpOrder& order);
  /// The strong writes of other warps are forgotten. For after a strong read, which may have seen their value
  /// and therefore comes after them: what races with them is bound to race with the read or with what
  /// follows.
  void forget_observed(const Touch& read);

 private:
  Touch* room_for(const Touch& now);

  std::array<Touch, 4> touches_;
};

/// A stretch of memory.
class HistoryPage {
 public:
  static constexpr std::size_t kBytes = 1024;
  static constexpr std::size_t kWordBytes = 4;

  /// Held during all that follows.
  std::mutex mutex;

  // `now` for bytes that lie in the page; Touch::bytes is filled in.

  const Touch* add(std::size_t offset, std::size_t bytes, Touch now, const WarpOrder& order);
  void publish(std::size_t offset, std::size_t bytes, const PastPointer& past);
  /// What was published there; nullptr: nothing.
  PastPointer observe(std::size_t offset, std::size_t bytes, Touch read);

 private:
  template <class Function>
  static void for_each_word(std::size_t offset, std::size_t bytes, Function function);

  std::array<AccessedWord, kBytes / kWordBytes> words_;
  /// By word. A relaxed store joins what is there already, although a reader of its value does not see the
  /// releases before it: in which order two threads of the host store is not known here.
  std::unordered_map<std::size_t, PastPointer> published_;
};

/// Of a block's shared memory.
class SharedHistory {
 public:
  explicit SharedHistory(std::size_t bytes)
      : pages_((bytes + HistoryPage::kBytes - 1) / HistoryPage::kBytes) {}

  HistoryPage& page(std::size_t number) {
    if (pages_[number] == nullptr) pages_[number] = std::make_unique<HistoryPage>();
    return *pages_[number];
  }

 private:
  std::vector<std::unique_ptr<HistoryPage>> pages_;
};

/// Of global memory, during one launch. Thread-safe. It belongs to the launch and not to the allocations, so
/// that nothing needs to be told apart from earlier launches or copies of the host, which come before all of
/// it; and it is as large as what the launch touches (times 16), however large its buffers are.
class GlobalHistory {
 public:
  /// Stays where it is.
  HistoryPage& page(std::uint64_t number);

 private:
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, std::unique_ptr<HistoryPage>> pages;
  };
  std::array<Shard, 64> shards_;
};

}  // namespace lathe::runtime::ptx
