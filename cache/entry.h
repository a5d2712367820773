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

}  // namespace lathe::cache
