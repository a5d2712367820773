#include "cache/digest.h"

#include <xxhash.h>

#include <charconv>

#include <fmt/format.h>

namespace lathe::cache {

std::string Digest::hex() const {
  return fmt::format("{:016x}{:016x}", high, low);
}

std::optional<Digest> Digest::from_hex(std::string_view text) {
  if (text.size() != 32) return std::nullopt;
  Digest digest;
  for (auto [part, value] : {std::pair{text.substr(0, 16), &digest.high}, {text.substr(16), &digest.low}}) {
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), *value, 16);
    if (error != std::errc{} || end != part.data() + part.size()) return std::nullopt;
  }
  return digest.hex() == text ? std::optional(digest) : std::nullopt;
}

Digest digest_of(std::span<const std::byte> bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

Digest digest_of(std::string_view text) {
  return digest_of(std::as_bytes(std::span(text)));
}

}  // namespace lathe::cache
