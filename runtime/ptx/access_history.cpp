#include "runtime/ptx/access_history.h"

#include <algorithm>

namespace lathe::runtime::ptx {

const Touch* AccessedWord::add(const Touch& now, const WarpOrder& order) {
  Touch* room = nullptr;
  for (Touch& old : touches_) {
    if (old.epoch == 0) {
      if (room == nullptr) room = &old;
      continue;
    }
    const bool conflicts = now.conflicts_with(old);
    const bool is_replaceable = now.stands_for(old);
    if (!conflicts && !is_replaceable) continue;
    const bool is_after = order.is_after(old.cluster, old.warp, old.epoch);
    if (conflicts && !is_after) return &old;
    if (!is_after || !is_replaceable) continue;
    old.epoch = 0;
    if (room == nullptr) room = &old;
  }
  if (room == nullptr) room = room_for(now);
  if (room != nullptr) *room = now;
  return nullptr;
}

/// Whose place a new access takes; nullptr: nobody's, it is not remembered.
Touch* AccessedWord::room_for(const Touch& now) {
  const std::size_t start = now.warp + now.epoch;  // not always the same reader
  for (std::size_t i = 0; i < touches_.size(); ++i) {
    Touch& old = touches_[(start + i) % touches_.size()];
    if (!old.is_write) return &old;
  }
  return now.is_write ? &touches_[start % touches_.size()] : nullptr;
}

void AccessedWord::forget_observed(const Touch& read) {
  for (Touch& old : touches_) {
    const bool is_own = old.cluster == read.cluster && old.warp == read.warp;
    if (old.epoch == 0 || is_own || !old.is_write || !old.is_strong) continue;
    old.bytes &= static_cast<std::uint8_t>(~read.bytes);
    if (old.bytes == 0) old.epoch = 0;
  }
}

/// function(word, bits of its bytes), until it returns false.
template <class Function>
void HistoryPage::for_each_word(std::size_t offset, std::size_t bytes, Function function) {
  while (bytes != 0) {
    const std::size_t first = offset % kWordBytes;
    const std::size_t count = std::min(kWordBytes - first, bytes);
    const unsigned bits = ((1u << count) - 1) << first;
    if (!function(offset / kWordBytes, static_cast<std::uint8_t>(bits))) return;
    offset += count;
    bytes -= count;
  }
}

const Touch* HistoryPage::add(std::size_t offset, std::size_t bytes, Touch now, const WarpOrder& order) {
  const Touch* other = nullptr;
  for_each_word(offset, bytes, [&](std::size_t word, std::uint8_t bits) {
    now.bytes = bits;
    other = words_[word].add(now, order);
    return other == nullptr;
  });
  return other;
}

void HistoryPage::publish(std::size_t offset, std::size_t bytes, const PastPointer& past) {
  if (past == nullptr) return;
  for_each_word(offset, bytes, [&](std::size_t word, std::uint8_t) {
    PastPointer& there = published_[word];
    there = joined(there, past);
    return true;
  });
}

PastPointer HistoryPage::observe(std::size_t offset, std::size_t bytes, Touch read) {
  PastPointer past;
  for_each_word(offset, bytes, [&](std::size_t word, std::uint8_t bits) {
    read.bytes = bits;
    words_[word].forget_observed(read);
    const auto there = published_.find(word);
    if (there != published_.end()) past = joined(past, there->second);
    return true;
  });
  return past;
}

HistoryPage& GlobalHistory::page(std::uint64_t number) {
  Shard& shard = shards_[number % shards_.size()];
  const std::lock_guard lock(shard.mutex);
  std::unique_ptr<HistoryPage>& page = shard.pages[number];
  if (page == nullptr) page = std::make_unique<HistoryPage>();
  return *page;
}

}  // namespace lathe::runtime::ptx
