#include "cache/entry.h"

#include <cstring>
#include <fstream>
#include <iterator>

#include "cache/digest.h"
#include "tests/support/catch.h"
#include "tests/support/sample_entry.h"

using lathe::cache::Bytes;
using lathe::cache::decode;
using lathe::cache::decode_head;
using lathe::cache::encode;
using lathe::tests::sample_entry;

namespace {

/// A file with some number in its header changed and its checksum made right again: damage that only the
/// sizes can tell.
Bytes forged(std::size_t offset, std::uint64_t value, std::size_t width) {
  Bytes file = encode(sample_entry());
  std::memcpy(file.data() + offset, &value, width);
  const auto checksum = lathe::cache::digest_of(std::span(file).first(file.size() - 16));
  std::memcpy(file.data() + file.size() - 16, &checksum.high, 8);
  std::memcpy(file.data() + file.size() - 8, &checksum.low, 8);
  return file;
}

constexpr std::size_t kVersionAt = 8, kCountAt = 12, kTotalAt = 16, kCreatorLengthAt = 32;

}  // namespace

TEST_CASE("an entry comes back as it was written") {
  CHECK(decode(encode(sample_entry())).value() == sample_entry());
  const lathe::cache::Entry empty;
  CHECK(decode(encode(empty)).value() == empty);
}

TEST_CASE("the format is the one of the golden file") {
  std::ifstream file(LATHE_SOURCE_DIR "/tests/golden/entry_v1.bin", std::ios::binary);
  const std::string golden((std::istreambuf_iterator<char>(file)), {});
  // If this fails, the format has changed: give it a new kEntryVersion and a new golden file.
  REQUIRE(lathe::tests::bytes_of(golden) == encode(sample_entry()));
  CHECK(decode(lathe::tests::bytes_of(golden)).value() == sample_entry());
}

TEST_CASE("a file cut off anywhere is refused, with a reason") {
  const Bytes file = encode(sample_entry());
  for (std::size_t length = 0; length < file.size(); ++length) {
    std::string why;
    if (decode(std::span(file).first(length), &why) || why.empty())
      FAIL("accepted after " << length << " bytes");
  }
  SUCCEED("every length was refused");
}

TEST_CASE("a file with any bit changed is refused") {
  Bytes file = encode(sample_entry());
  for (std::size_t at = 0; at < file.size(); ++at) {
    for (const auto bit : {std::byte{1}, std::byte{0x80}}) {
      file[at] ^= bit;
      if (decode(file)) FAIL("accepted with byte " << at << " changed");
      file[at] ^= bit;
    }
  }
  CHECK(decode(file).has_value());
}

TEST_CASE("bytes after the end are refused") {
  Bytes file = encode(sample_entry());
  file.push_back(std::byte{0});
  CHECK_FALSE(decode(file).has_value());
}

TEST_CASE("sizes that do not fit are refused before anything is allocated") {
  CHECK_FALSE(decode(forged(kVersionAt, 2, 4)).has_value());
  CHECK_FALSE(decode(forged(kCountAt, 1, 4)).has_value());
  CHECK_FALSE(decode(forged(kCountAt, 3, 4)).has_value());
  CHECK_FALSE(decode(forged(kCountAt, 0xFFFFFFFF, 4)).has_value());
  CHECK_FALSE(decode(forged(kTotalAt, 0, 8)).has_value());
  CHECK_FALSE(decode(forged(kTotalAt, ~std::uint64_t{0}, 8)).has_value());
  CHECK_FALSE(decode(forged(kCreatorLengthAt, ~std::uint64_t{0}, 8)).has_value());
  CHECK_FALSE(decode(forged(kCreatorLengthAt, std::uint64_t{1} << 62, 8)).has_value());
  std::string why;
  CHECK_FALSE(decode(forged(kVersionAt, 7, 4), &why).has_value());
  CHECK(why == "format version 7, this is version 1");
}

TEST_CASE("the head is read without the payload") {
  const Bytes file = encode(sample_entry());
  const auto head = decode_head(std::span(file).first(200));
  REQUIRE(head.has_value());
  CHECK(head->key_text == sample_entry().key_text);
  CHECK(head->metadata == sample_entry().metadata);
  CHECK(head->sections.empty());
  CHECK_FALSE(decode_head(std::span(file).first(60)).has_value());
  CHECK_FALSE(decode_head({}).has_value());
}
