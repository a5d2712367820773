// Barrier: one of the sixteen named barriers of a block, or the one of a cluster.
#pragma once

#include <cstdint>
#include <optional>

namespace lathe::runtime::ptx {

/// Phases complete one after the other. Who arrives gets a ticket, the phase that it is part of, and may go
/// on once that has passed.
struct Barrier {
  std::uint64_t phase = 0;
  unsigned arrived = 0;   ///< threads, in this phase
  unsigned expected = 0;  ///< threads; 0: all that have not exited

  // barrier.red: what has been collected, and what the last phase gave.
  unsigned votes = 0;
  unsigned voters = 0;
  unsigned last_votes = 0;
  unsigned last_voters = 0;

  bool has_passed(std::uint64_t ticket) const { return phase > ticket; }

  /// Returns the ticket. `live`: threads that have not exited.
  std::uint64_t arrive(unsigned threads, unsigned expected_threads, unsigned live) {
    const std::uint64_t ticket = phase;
    expected = expected_threads;
    arrived += threads;
    complete_if_all_there(live);
    return ticket;
  }
  /// Also to be called when threads exit.
  void complete_if_all_there(unsigned live) {
    if (arrived == 0 || arrived < (expected != 0 ? expected : live)) return;
    ++phase;
    arrived = 0;
    expected = 0;
    last_votes = votes;
    last_voters = voters;
    votes = 0;
    voters = 0;
  }
};

}  // namespace lathe::runtime::ptx
