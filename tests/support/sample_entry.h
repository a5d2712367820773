// A fixed cache entry, the same in every test and on every machine.
#pragma once

#include <string>

#include "cache/entry.h"

namespace lathe::tests {

inline cache::Bytes bytes_of(const std::string& text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

/// Named, so that several can be told apart.
inline cache::Entry sample_entry(const std::string& name = "one") {
  return {.key_text = "lathe-key 1\nspec: " + name + "\n",
          .metadata = R"({"entries": ["lathe_rms_norm"]})",
          .creator = "lathe 0.1.0",
          .created_unix = 1'700'000'000,
          .sections = {{"cubin", bytes_of("machine code of " + name)}, {"ptx", bytes_of("")}}};
}

}  // namespace lathe::tests
