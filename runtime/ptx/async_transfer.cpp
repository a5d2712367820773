#include "runtime/ptx/async_transfer.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "runtime/ptx/async_proxy.h"
#include "runtime/ptx/atomic_update.h"
#include "runtime/ptx/block.h"
#include "runtime/ptx/cluster.h"
#include "runtime/ptx/memory_access.h"
#include "runtime/ptx/pending_writes.h"
#include "runtime/ptx/races.h"
#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

namespace {

/// The access may be anywhere between issue and completion: it is looked for races at both.
bool is_free_of_races(const AsyncTransfer& transfer, AccessKind kind, const Place& place, std::size_t bytes) {
  Warp& warp = *transfer.issuer.warp;
  if (!warp.block().checks_races()) return true;
  const Access access{.kind = kind,
                      .bytes = static_cast<unsigned>(bytes),
                      .alignment = 1,
                      .space = place.space,
                      .ordering = Ordering::weak};
  return warp.block().races().check(warp, transfer.issuer.lane, access, place);
}

bool check_source(const AsyncTransfer& transfer, const TransferPiece& piece) {
  if (piece.from == TransferPiece::kZeros) return true;
  const Place place = further(transfer.from, piece.from);
  // Global memory may well be padded with what nobody wrote, which spreads instead.
  if (place.space == Space::shared &&
      !check_defined(*transfer.issuer.warp, transfer.issuer.lane, place, static_cast<unsigned>(piece.bytes)))
    return false;
  return is_free_of_races(transfer, AccessKind::read, place, piece.bytes);
}

bool check_destination(const AsyncTransfer& transfer, const TransferPiece& piece) {
  const AccessKind kind = transfer.combination ? AccessKind::atomic : AccessKind::write;
  return is_free_of_races(transfer, kind, further(transfer.to, piece.to), piece.bytes);
}

bool is_fenced(const AsyncTransfer& transfer, const TransferPiece& piece) {
  if (piece.from == TransferPiece::kZeros || transfer.from.space != Space::shared) return true;
  const std::size_t offset = transfer.from.offset + piece.from;
  return check_async_read(*transfer.issuer.warp, static_cast<std::uint32_t>(offset), piece.bytes);
}

/// Two that write the same bytes, and nothing says which comes last.
bool is_alone(const AsyncTransfer& transfer) {
  Warp& warp = *transfer.issuer.warp;
  if (transfer.combination || transfer.to.space != Space::shared || !warp.block().checks_races()) return true;
  const auto other = pending_write_to(warp, transfer.to, transfer.bytes);
  if (!other) return true;
  const Origin& origin = warp.program().origins[*other];
  warp.fault(FaultKind::race,
             fmt::format("writes {} bytes of shared memory, {} bytes from its beginning, that the "
                         "asynchronous operation issued at PTX line {}, `{}`, has yet to write",
                         transfer.bytes, transfer.to.offset, origin.line, origin.text),
             transfer.issuer.lane);
  return false;
}

void note_definedness(AsyncTransfer& transfer, const TransferPiece& piece, std::size_t at) {
  const Place place = further(transfer.from, piece.from);
  if (place.shadow == nullptr || place.shadow->is_defined(place.offset, piece.bytes)) return;
  if (transfer.defined.empty()) transfer.defined.assign(transfer.data.size(), true);
  for (std::size_t i = 0; i < piece.bytes; ++i)
    transfer.defined[at + i] = place.shadow->is_defined(place.offset + i, 1);
}

void set_definedness(const AsyncTransfer& transfer, const Place& place, std::size_t at, std::size_t bytes) {
  if (place.shadow == nullptr) return;
  place.shadow->define(place.offset, bytes);
  if (transfer.defined.empty()) return;
  for (std::size_t i = 0; i < bytes; ++i) {
    if (!transfer.defined[at + i]) place.shadow->undefine(place.offset + i, 1);
  }
}

/// Additions of f32 in global memory flush denormals, as those of red do.
bool combine_into(const AsyncTransfer& transfer, const Place& place, std::size_t at, std::size_t bytes) {
  const auto [operation, type] = *transfer.combination;
  const bool flushes = type == Type::f32 && operation == AtomicOperation::add && place.space == Space::global;
  if (!check_defined(*transfer.issuer.warp, transfer.issuer.lane, place, static_cast<unsigned>(bytes)))
    return false;
  for (std::size_t i = 0; i < bytes; i += bytes_of(type)) {
    std::uint64_t value = 0;
    std::memcpy(&value, transfer.data.data() + at + i, bytes_of(type));
    atomic_update(place.bytes + i, operation, type, value, 0, flushes);
  }
  return true;
}

std::size_t total_bytes(const AsyncTransfer& transfer) {
  std::size_t bytes = 0;
  for (const TransferPiece& piece : transfer.pieces) bytes += piece.bytes;
  return bytes;
}

}  // namespace

InNameOf::InNameOf(const Issuer& issuer) : warp_(issuer.warp), before_(issuer.warp->issued_by) {
  warp_->issued_by = issuer.instruction;
}

InNameOf::~InNameOf() {
  warp_->issued_by = before_;
}

bool AsyncTransfer::writes(const Place& place, std::size_t size) const {
  const auto overlaps = [&](const std::byte* begin, std::size_t count) {
    return begin < place.bytes + size && place.bytes < begin + count;
  };
  if (to.space == Space::shared) return overlaps(to.bytes, bytes);
  return std::ranges::any_of(
      pieces, [&](const TransferPiece& piece) { return overlaps(to.bytes + piece.to, piece.bytes); });
}

bool begin(AsyncTransfer& transfer) {
  const InNameOf issuer(transfer.issuer);
  ++transfer.issuer.warp->block().cluster().changes;
  if (!is_alone(transfer)) return false;
  for (const TransferPiece& piece : transfer.pieces) {
    if (!transfer.is_read && !(check_source(transfer, piece) && is_fenced(transfer, piece))) return false;
    if (!check_destination(transfer, piece)) return false;
  }
  if (transfer.combination || transfer.to.shadow == nullptr) return true;
  for (const TransferPiece& piece : transfer.pieces)
    transfer.to.shadow->undefine(transfer.to.offset + piece.to, piece.bytes);
  return true;
}

bool read(AsyncTransfer& transfer) {
  const InNameOf issuer(transfer.issuer);
  transfer.data.resize(total_bytes(transfer));  // zeros
  transfer.is_read = true;
  std::size_t at = 0;
  for (const TransferPiece& piece : transfer.pieces) {
    if (!check_source(transfer, piece)) return false;
    if (piece.from != TransferPiece::kZeros) {
      std::memcpy(transfer.data.data() + at, transfer.from.bytes + piece.from, piece.bytes);
      note_definedness(transfer, piece, at);
    }
    at += piece.bytes;
  }
  return true;
}

bool write(AsyncTransfer& transfer) {
  const InNameOf issuer(transfer.issuer);
  std::size_t at = 0;
  for (const TransferPiece& piece : transfer.pieces) {
    const Place place = further(transfer.to, piece.to);
    if (!check_destination(transfer, piece)) return false;
    if (transfer.combination) {
      if (!combine_into(transfer, place, at, piece.bytes)) return false;
    } else {
      std::memcpy(place.bytes, transfer.data.data() + at, piece.bytes);
      set_definedness(transfer, place, at, piece.bytes);
    }
    if (transfer.is_generic) {
      note_generic_write(*transfer.issuer.warp, place, piece.bytes);
    } else {
      note_async_write(place, piece.bytes);
    }
    at += piece.bytes;
  }
  return true;
}

}  // namespace lathe::runtime::ptx
