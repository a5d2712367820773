// Mbarrier: the state of one mbarrier object, whoever arrives at it and waits for it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lathe::runtime::ptx {

/// A phase is over when all expected arrivals have been made and as many bytes were transferred as were
/// expected; then the next one begins by itself.
class Mbarrier {
 public:
  static constexpr std::uint32_t kMostArrivals = (1u << 20) - 1;
  static constexpr std::int64_t kMostBytes = (1 << 20) - 1;

  /// REQUIRES: 1 to kMostArrivals.
  explicit Mbarrier(std::uint32_t arrivals) : expected_(arrivals), arrivals_(arrivals) {}

  // Each returns the rule that it would break, and does nothing then; empty: it is done.

  std::string_view arrive(std::uint64_t count);
  /// Later phases expect `count` arrivals less.
  std::string_view arrive_and_drop(std::uint64_t count);
  /// This phase expects one arrival more.
  std::string_view expect_arrival();
  std::string_view expect_bytes(std::uint64_t bytes);
  std::string_view complete_bytes(std::uint64_t bytes);

  bool is_last(std::uint64_t count) const { return count == arrivals_ && bytes_ == 0; }

  /// The number of phases that are over.
  std::uint64_t phase() const { return phase_; }
  bool is_over(std::uint64_t phase) const { return phase_ > phase; }
  /// Whether the phase is over that ends at this parity: the present one, or the one before it.
  bool is_parity_over(std::uint64_t parity) const { return (phase_ & 1) != parity; }

  /// The opaque state that an arrival returns, as it was before it.
  std::uint64_t token() const { return phase_ << kPhaseShift | arrivals_; }
  static std::uint64_t phase_of(std::uint64_t token) { return token >> kPhaseShift; }
  static std::uint32_t arrivals_of(std::uint64_t token) {
    return static_cast<std::uint32_t>(token & kMostArrivals);
  }

  /// "phase 3 needs 1 of 2 arrivals and 64 bytes more"
  std::string describe() const;

 private:
  static constexpr unsigned kPhaseShift = 20;
  void advance();

  std::uint32_t expected_;  ///< arrivals, in the next phase
  std::uint32_t arrivals_;  ///< that this one still needs
  std::int64_t bytes_ = 0;  ///< that it still needs; below 0: more came than were expected
  std::uint64_t phase_ = 0;
};

/// The phase that a wait is for.
struct AwaitedPhase {
  std::uint64_t number = 0;
  bool is_parity = false;

  bool is_over(const Mbarrier& mbarrier) const {
    return is_parity ? mbarrier.is_parity_over(number) : mbarrier.is_over(number);
  }
};

}  // namespace lathe::runtime::ptx
