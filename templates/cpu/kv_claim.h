// Which token has a destination that several name, on the CPU: the last. Included after the parameter block
// of a template, whose names it uses.
#pragma once

#include "cpu/kv_rows.h"

namespace {

/// Blocks of tokens.
inline Index count_claims(const KvMoveArgs& args) {
  return (args.tokens - args.first_token + kClaimTokens - 1) / kClaimTokens;
}

/// Calls `visit(owner, token)` for the tokens of some blocks, in their order.
template <class Visit>
inline void for_each_claim(const KvMoveArgs& args, Index first_block, Index last_block, Visit visit) {
  const Index claims = count_claims(args);
  const Index blocks = args.max_blocks > 0 ? smaller(args.max_blocks, claims) : claims;
  for (Index block = first_block; block < last_block; ++block) {
    for (Index claim = block; claim < claims; claim += blocks) {
      const Index first = args.first_token + claim * kClaimTokens;
      const Index last = smaller(first + kClaimTokens, args.tokens);
      for (Index token = first; token < last; ++token) {
        const Slots slots = slots_of(args, token);
        if (slots.are_valid()) visit(static_cast<int*>(args.workspace) + slots.dst, static_cast<int>(token));
      }
    }
  }
}

}  // namespace

/// No token has claimed a destination yet. Where all tokens are one block's, nobody asks.
extern "C" void lathe_kv_unclaim(const KvMoveArgs* args, Index first_block, Index last_block) {
  if (count_claims(*args) == 1) return;
  for_each_claim(*args, first_block, last_block,
                 [](int* owner, int) { __atomic_store_n(owner, -1, __ATOMIC_RELAXED); });
}

/// The last token that names a destination has it.
extern "C" void lathe_kv_claim(const KvMoveArgs* args, Index first_block, Index last_block) {
  if (count_claims(*args) == 1) {
    for_each_claim(*args, first_block, last_block, [](int* owner, int token) { *owner = token; });
    return;
  }
  for_each_claim(*args, first_block, last_block, [](int* owner, int token) {
    int before = __atomic_load_n(owner, __ATOMIC_RELAXED);
    while (before < token &&
           !__atomic_compare_exchange_n(owner, &before, token, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
  });
}
