// AsyncTransfer: bytes that are moved, or combined, some time after the instruction that asked for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "runtime/ptx/atomic_arithmetic.h"
#include "runtime/ptx/place.h"
#include "runtime/ptx/types.h"

namespace lathe::runtime::ptx {

class Warp;

/// The thread in whose name something is done, and the instruction that asked for it.
struct Issuer {
  Warp* warp = nullptr;
  unsigned lane = 0;
  std::uint32_t instruction = 0;  ///< index into Program::origins
};

/// While it lives, what is checked and reported is the issuer's doing.
class InNameOf {
 public:
  explicit InNameOf(const Issuer& issuer);
  ~InNameOf();
  InNameOf(const InNameOf&) = delete;
  InNameOf& operator=(const InNameOf&) = delete;

 private:
  Warp* warp_;
  std::optional<std::uint32_t> before_;
};

/// Bytes that lie side by side at both ends.
struct TransferPiece {
  static constexpr std::size_t kZeros = std::numeric_limits<std::size_t>::max();

  std::size_t from = 0;  ///< offset from AsyncTransfer::from; kZeros: nothing is read
  std::size_t to = 0;    ///< offset from AsyncTransfer::to
  std::size_t bytes = 0;

  bool operator==(const TransferPiece&) const = default;
};

/// How a value is combined with the one that is there.
struct Combination {
  AtomicOperation operation = AtomicOperation::add;
  Type type = Type::u32;
};

struct AsyncTransfer {
  Issuer issuer;
  Place from;
  Place to;
  std::vector<TransferPiece> pieces;
  std::uint32_t bytes = 0;  ///< that an mbarrier is told of; those in shared memory lie side by side
  std::optional<Combination> combination;
  bool is_generic = false;  ///< it does not go through the asynchronous proxy

  /// What was read, of one piece after the other. Some transfers begin with that.
  bool is_read = false;
  std::vector<std::byte> data;
  std::vector<bool> defined;  ///< of each byte; empty: all are

  /// Whether it writes one of these bytes.
  bool writes(const Place& place, std::size_t size) const;
};

// After a fault these are false.

/// When it is issued: everything is checked that could go wrong. From now on the destination is undefined.
bool begin(AsyncTransfer& transfer);
/// Once, before write().
bool read(AsyncTransfer& transfer);
bool write(AsyncTransfer& transfer);

/// The place so many bytes further on.
inline Place further(Place place, std::size_t bytes) {
  place.bytes += bytes;
  place.offset += bytes;
  return place;
}

}  // namespace lathe::runtime::ptx
