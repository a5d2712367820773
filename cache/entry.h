// Entry: one self-describing file of the cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/error.h>

namespace lathe::cache {

using Bytes = std::vector<std::byte>;

struct Section {
  std::string name;  ///< "cubin", "ptx", "object"
  Bytes bytes;

  friend bool operator==(const Section&, const Section&) = default;
};

struct Entry {
  std::string key_text;            ///< what the digest is of
  std::string metadata;            ///< JSON, one object
  std::string creator;             ///< "lathe 0.1.0"
  std::uint64_t created_unix = 0;  ///< seconds
  std::vector<Section> sections;

  friend bool operator==(const Entry&, const Entry&) = default;
};

// The file, version 1. All integers are little-endian.
//
//   file     = magic version count total created creator key metadata section{count} checksum
//   magic    = "LATHEKRN"                    8 bytes
//   version  = u32                           1
//   count    = u32                           sections, at most 16
//   total    = u64                           bytes of the file, checksum included
//   created  = u64                           seconds since 1970
//   creator  = text                          "lathe 0.1.0"
//   key      = text
//   metadata = text                          JSON
//   section  = text(name) text(bytes)
//   text     = u64(length) byte{length}
//   checksum = u64(high) u64(low)            XXH3-128 of everything before it
//
// Payloads are not compressed: a kernel's sections are tens of kilobytes, and reading them costs less than
// inflating them.

inline constexpr std::uint32_t kEntryVersion = 1;

/// The bytes of the file.
Bytes encode(const Entry& entry);

/// Checks every size before it allocates and the checksum before it believes anything. Empty if the bytes are
/// not a whole, unaltered file of this version; `why`, if given, then receives the reason.
std::optional<Entry> decode(std::span<const std::byte> file, std::string* why = nullptr);

/// Only the key, metadata, creator and time, from the beginning of a file; sections come back with their
/// names and no bytes as far as `head` reaches. The checksum is not looked at. Empty if `head` does not reach
/// past the metadata.
std::optional<Entry> decode_head(std::span<const std::byte> head);

}  // namespace lathe::cache
