#include "cache/digest.h"

#include <string_view>

#include "tests/support/catch.h"

using lathe::cache::Digest;
using lathe::cache::digest_of;

TEST_CASE("the digest is XXH3-128") {
  // The empty input's value is the one that xxHash documents.
  CHECK(digest_of(std::string_view{}).hex() == "99aa06d3014798d86001c324468d497f");
  CHECK(digest_of("a") != digest_of("b"));
}

TEST_CASE("hexadecimal digits round-trip") {
  const Digest digest = digest_of("lathe");
  CHECK(Digest::from_hex(digest.hex()) == digest);
  for (const char* text : {"", "12", "99AA06D3014798D86001C324468D497F", "99aa06d3014798d86001c324468d497",
                           "99aa06d3014798d86001c324468d497g", "+9aa06d3014798d86001c324468d497f"}) {
    INFO(text);
    CHECK_FALSE(Digest::from_hex(text).has_value());
  }
}
