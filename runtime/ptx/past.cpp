#include "runtime/ptx/past.h"

namespace lathe::runtime::ptx {

PastPointer Past::with(const PastPointer& others, std::uint32_t cluster, const VectorClock& clock) {
  auto past = others == nullptr ? std::make_shared<Past>() : std::make_shared<Past>(*others);
  auto at = std::ranges::lower_bound(past->entries_, cluster, {}, &Entry::cluster);
  if (at == past->entries_.end() || at->cluster != cluster)
    at = past->entries_.insert(at, {cluster, nullptr});
  at->clock = std::make_shared<const VectorClock>(clock);
  return past;
}

const VectorClock* Past::clock_of(std::uint32_t cluster) const {
  const auto at = std::ranges::lower_bound(entries_, cluster, {}, &Entry::cluster);
  return at == entries_.end() || at->cluster != cluster ? nullptr : at->clock.get();
}

bool Past::covers(const Past& other) const {
  if (other.entries_.size() > entries_.size()) return false;
  return std::ranges::all_of(other.entries_, [&](const Entry& its) {
    const VectorClock* mine = clock_of(its.cluster);
    return mine != nullptr && (mine == its.clock.get() || mine->covers(*its.clock));
  });
}

Past::Entry Past::joined_entry(const Entry& a, const Entry& b) {
  if (a.clock == b.clock || a.clock->covers(*b.clock)) return a;
  if (b.clock->covers(*a.clock)) return b;
  VectorClock clock = *a.clock;
  clock.join(*b.clock);
  return {a.cluster, std::make_shared<const VectorClock>(std::move(clock))};
}

PastPointer joined(const PastPointer& a, const PastPointer& b) {
  if (a == b || b == nullptr) return a;
  if (a == nullptr) return b;
  if (a->covers(*b)) return a;
  if (b->covers(*a)) return b;
  auto both = std::make_shared<Past>();
  both->entries_.reserve(a->entries_.size() + b->entries_.size());
  auto one = a->entries_.begin();
  auto other = b->entries_.begin();
  while (one != a->entries_.end() && other != b->entries_.end()) {
    if (one->cluster < other->cluster) {
      both->entries_.push_back(*one++);
    } else if (other->cluster < one->cluster) {
      both->entries_.push_back(*other++);
    } else {
      both->entries_.push_back(Past::joined_entry(*one++, *other++));
    }
  }
  both->entries_.insert(both->entries_.end(), one, a->entries_.end());
  both->entries_.insert(both->entries_.end(), other, b->entries_.end());
  return both;
}

}  // namespace lathe::runtime::ptx
