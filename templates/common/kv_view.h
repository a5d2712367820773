// Where the rows of a view lie.
#pragma once

#include "common/kv_facts.h"

/// Which layers, planes and heads are moved: those of a side begin here.
struct FirstRow {
  lathe::Index layer;
  lathe::Index plane;
  lathe::Index head;
};

inline lathe::Index step_of(lathe::Index known, lathe::Index given) {
  return known >= 0 ? known : given;
}

/// The pointer that a base kind picks. REQUIRES: the arguments of the view whose base it is.
template <class Pointer>
inline const void* base_pointer(const ViewFacts& facts, const lathe::KvViewArgs<Pointer>& args,
                                const Pointer* by_value, lathe::Index layer, lathe::Index plane,
                                lathe::Index block) {
  if (facts.base == KvBase::single) return args.base;
  lathe::Index entry = layer;
  if (facts.base == KvBase::plane_layer) entry = plane * facts.layers + layer;
  if (facts.base == KvBase::chunk) entry = block;
  if (facts.base == KvBase::chunk_layer) entry = block * facts.layers + layer;
  if (facts.by_value) return by_value[entry];
  if (args.table != nullptr) return args.table[entry];
  return static_cast<const char*>(args.base) + entry * args.table_step;
}

/// A view of one side, with what a launch says of it.
template <class Pointer>
struct LaunchView {
  const ViewFacts& facts;
  const ViewFacts& first;  ///< the side's first view, whose base others may share
  const lathe::KvViewArgs<Pointer>& args;
  const lathe::KvViewArgs<Pointer>& first_args;
  const Pointer* by_value;
};

struct SlotPlace {
  lathe::Index layer;
  lathe::Index plane;
  lathe::Index slot;
};

/// The address of a slot's first byte in a layer and a plane; heads and content are added to it.
template <class Pointer>
inline const char* slot_address(const LaunchView<Pointer>& view, const SlotPlace& at) {
  const ViewFacts& facts = view.facts;
  const lathe::KvViewArgs<Pointer>& args = view.args;
  const auto block_size = static_cast<unsigned long long>(facts.block_size);
  const auto block = static_cast<lathe::Index>(static_cast<unsigned long long>(at.slot) / block_size);
  const lathe::Index in_block = at.slot - block * facts.block_size;
  const void* base = facts.shares_base
                         ? base_pointer(view.first, view.first_args, view.by_value, at.layer, at.plane, block)
                         : base_pointer(facts, args, view.by_value, at.layer, at.plane, block);
  lathe::Index layer_step = step_of(facts.layer_step, args.layer_step);
  lathe::Index plane_step = step_of(facts.plane_step, args.plane_step);
  if (facts.layer_shrinks || facts.plane_shrinks) {
    const bool is_last = block == args.blocks - 1 && args.last_slots > 0;
    const lathe::Index slots = is_last ? args.last_slots : facts.block_size;
    if (facts.layer_shrinks) layer_step = layer_step / facts.block_size * slots;
    if (facts.plane_shrinks) plane_step = plane_step / facts.block_size * slots;
  }
  return static_cast<const char*>(base) + facts.offset + at.layer * layer_step + at.plane * plane_step +
         block * step_of(facts.block_step, args.block_step) +
         in_block * step_of(facts.slot_step, args.slot_step);
}

/// Bytes from the beginning of a head's content to one of its bytes.
inline lathe::Index content_offset(const ViewFacts& facts, lathe::Index piece_step, lathe::Index byte) {
  if (facts.piece_step == 0) return byte;  // in one piece
  const auto piece_bytes = static_cast<unsigned long long>(facts.piece_bytes);
  const auto piece = static_cast<lathe::Index>(static_cast<unsigned long long>(byte) / piece_bytes);
  return byte + piece * (piece_step - facts.piece_bytes);
}
