// Where the tokens of ragged sequences go when they are appended to pages: what kv_scatter's index map
// `pages` reads, worked out on the host.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <lathe/error.h>

namespace lathe {

namespace detail {
inline Error bad_positions(std::string message, std::string hint) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::api,
          .message = std::move(message),
          .hint = std::move(hint)};
}
}  // namespace detail

/// Sequences' lengths from their pages, as FlashInfer's get_seq_lens: page_indptr [sequences + 1] counts
/// pages, last_page_slots [sequences] says how many slots of the last one are used. lengths [sequences].
template <class Int>
Result<void> kv_lengths(std::span<const Int> page_indptr, std::span<const Int> last_page_slots, Int page_size,
                        std::span<Int> lengths) {
  if (page_indptr.size() != lengths.size() + 1 || last_page_slots.size() != lengths.size()) {
    return detail::bad_positions("kv_lengths: " + std::to_string(lengths.size()) +
                                     " lengths, but page_indptr has " + std::to_string(page_indptr.size()) +
                                     " and last_page_slots " + std::to_string(last_page_slots.size()) +
                                     " elements",
                                 "page_indptr has one element more than there are sequences");
  }
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const Int pages = page_indptr[i + 1] - page_indptr[i];
    lengths[i] = pages > 0 ? (pages - 1) * page_size + last_page_slots[i] : Int{0};
  }
  return {};
}

/// Of each appended token the sequence and the position in it, as FlashInfer's get_batch_indices_positions:
/// rows are its batch indices. Sequence s appends tokens indptr[s] to
/// indptr[s + 1] - 1, which end at position lengths[s] - 1. rows and positions hold as many tokens as a
/// captured graph has room for; those beyond the last one become -1 and 0, which a move skips.
template <class Int>
Result<void> kv_append_positions(std::span<const Int> indptr, std::span<const Int> lengths,
                                 std::span<Int> rows, std::span<Int> positions) {
  if (indptr.size() != lengths.size() + 1 || rows.size() != positions.size()) {
    return detail::bad_positions(
        "kv_append_positions: " + std::to_string(indptr.size()) + " offsets for " +
            std::to_string(lengths.size()) + " sequences, " + std::to_string(rows.size()) + " rows and " +
            std::to_string(positions.size()) + " positions",
        "indptr has one element more than there are sequences; rows and positions are as "
        "many as tokens");
  }
  for (std::size_t token = 0; token < rows.size(); ++token) {
    rows[token] = Int{-1};
    positions[token] = Int{0};
  }
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    const Int begin = indptr[s];
    const Int end = indptr[s + 1];
    if (begin < 0 || begin > end || static_cast<std::size_t>(end) > rows.size() || end - begin > lengths[s]) {
      return detail::bad_positions("kv_append_positions: sequence " + std::to_string(s) + " of length " +
                                       std::to_string(lengths[s]) + " appends tokens " +
                                       std::to_string(begin) + " to " + std::to_string(end) + " of " +
                                       std::to_string(rows.size()),
                                   "lengths count the appended tokens too");
    }
    for (Int token = begin; token < end; ++token) {
      rows[static_cast<std::size_t>(token)] = static_cast<Int>(s);
      positions[static_cast<std::size_t>(token)] = lengths[s] - (end - token);
    }
  }
  return {};
}

}  // namespace lathe
