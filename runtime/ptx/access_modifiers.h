// The modifiers that ld, st, atom and red share.
#pragma once

#include "runtime/ptx/decoding.h"
#include "runtime/ptx/ordering.h"

namespace lathe::runtime::ptx {

/// Takes `.relaxed.gpu` and the like.
inline Ordering take_ordering(Decoding& decoding) {
  decoding.take_any({"cta", "cluster", "gpu", "sys"});
  if (decoding.take("volatile")) return Ordering::volatile_;
  if (decoding.take("mmio")) return decoding.take("relaxed"), Ordering::relaxed;
  if (decoding.take("relaxed")) return Ordering::relaxed;
  if (decoding.take("acquire")) return Ordering::acquire;
  if (decoding.take("release")) return Ordering::release;
  if (decoding.take("acq_rel")) return Ordering::acq_rel;
  decoding.take("weak");
  return Ordering::weak;
}

/// Takes `.shared::cta` and the like; generic if there is none.
inline Space take_space(Decoding& decoding) {
  if (decoding.take("global")) return Space::global;
  if (decoding.take("const")) return Space::constant;
  if (decoding.take_any({"shared", "shared::cta"}) != "") return Space::shared;
  if (decoding.take("shared::cluster")) return Space::shared_cluster;
  if (decoding.take("local")) return Space::local;
  if (decoding.take_any({"param", "param::entry", "param::func"}) != "") return Space::param;
  return Space::generic;
}

/// Takes what changes only how fast an access is.
inline void take_cache_hints(Decoding& decoding) {
  decoding.take_any({"ca", "cg", "cs", "lu", "cv", "wb", "wt"});
  decoding.take("nc");
  decoding.take("unified");
  decoding.ignore_prefixed("L1::");
  decoding.ignore_prefixed("L2::");
}

/// Takes `.v4`; 1 if there is none.
inline unsigned take_vector(Decoding& decoding) {
  if (decoding.take("v2")) return 2;
  if (decoding.take("v4")) return 4;
  if (decoding.take("v8")) return 8;
  return 1;
}

}  // namespace lathe::runtime::ptx
