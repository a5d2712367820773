// Tiles of a move: some tokens of one layer and plane, or a part of a token whose row is long. Included after
// the parameter block of a template, whose names it uses.
#pragma once

#include "common/kv_facts.h"

struct Tile {
  lathe::Index layer;
  lathe::Index plane;
  lathe::Index first_token;
  lathe::Index tokens;
  int part;
};

constexpr lathe::Index smaller(lathe::Index a, lathe::Index b) {
  return a < b ? a : b;
}

inline lathe::Index token_groups(const lathe::KvMoveArgs& args) {
  return (args.tokens - args.first_token + kTileTokens - 1) / kTileTokens;
}

inline lathe::Index count_tiles(const lathe::KvMoveArgs& args) {
  return args.layers * kPlanes * token_groups(args) * kParts;
}

inline Tile tile_at(const lathe::KvMoveArgs& args, lathe::Index number) {
  Tile tile{};
  tile.part = static_cast<int>(number % kParts);
  const lathe::Index groups = token_groups(args);
  const lathe::Index above = number / kParts / groups;
  tile.first_token = args.first_token + (number / kParts - above * groups) * kTileTokens;
  tile.tokens = smaller(args.tokens - tile.first_token, kTileTokens);
  tile.plane = above % kPlanes;
  tile.layer = above / kPlanes;
  return tile;
}

/// Which items a block works on.
struct Range {
  int begin;
  int end;
};

/// Of a row's items: all of them, or, where a tile is a part of a row, the part's.
inline Range part_of_row(int part, int items) {
  if constexpr (kParts == 1) return {0, items};
  const int per_part = (items + kParts - 1) / kParts;
  const lathe::Index begin = static_cast<lathe::Index>(part) * per_part;
  return {static_cast<int>(smaller(begin, items)), static_cast<int>(smaller(begin + per_part, items))};
}
