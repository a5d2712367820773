#include "tools/lathe/npy_header.h"

#include "tests/support/catch.h"

using namespace lathe;
using tools::NpyHeader;
using tools::parse_npy_header;

namespace {

std::string file(const std::string& dictionary, char version = 1) {
  std::string text("\x93NUMPY");
  text += version;
  text += '\0';
  text += static_cast<char>(dictionary.size() & 0xFF);
  text += static_cast<char>(dictionary.size() >> 8);
  if (version > 1) text += std::string(2, '\0');
  return text + dictionary;
}

}  // namespace

TEST_CASE("A header as NumPy writes it is read") {
  const auto header =
      parse_npy_header(file("{'descr': '<f4', 'fortran_order': False, 'shape': (8, 4096), }  \n"), "x");
  REQUIRE(header);
  CHECK(header->descr == "<f4");
  CHECK(header->shape == std::vector<std::int64_t>{8, 4096});
  CHECK_FALSE(header->is_fortran_order);
}

TEST_CASE("Scalars, vectors, Fortran order and versions 2 and 3 are read") {
  CHECK(
      parse_npy_header(file("{'descr': '<f4', 'fortran_order': False, 'shape': ()}\n"), "x")->shape.empty());
  CHECK(
      parse_npy_header(file("{'descr':'<f4','fortran_order':True,'shape':(4,),}\n"), "x")->is_fortran_order);
  CHECK(parse_npy_header(file("{'shape': (2L,), 'fortran_order': False, \"descr\": \"<i8\"}\n", 3), "x")
            ->descr == "<i8");
}

TEST_CASE("What is written is read again, and the data are aligned") {
  const std::vector<std::int64_t> shape =
      GENERATE(std::vector<std::int64_t>{}, std::vector<std::int64_t>{7}, std::vector<std::int64_t>{1, 2, 3},
               std::vector<std::int64_t>(5000, 1234567890123));
  const std::string text = tools::format_npy_header({.descr = "<f2", .shape = shape});
  const auto header = parse_npy_header(text, "x");
  REQUIRE(header);
  CHECK(header->shape == shape);
  CHECK(header->size == text.size());
  CHECK(text.size() % 64 == 0);
  CHECK(text.back() == '\n');
}

TEST_CASE("What is not a header is refused with its name") {
  const std::string bad = GENERATE(
      std::string("PK\x03\x04"), std::string("\x93NUMPY"), std::string("\x93NUMPY\x01\x00\xFF\xFF{", 11),
      file("{'descr': '<f4', 'fortran_order': False}\n"),
      file("{'descr': '<f4', 'fortran_order': False, 'shape': (1}\n"),
      file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}\n"),
      file("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}\n"),
      file("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} and more\n"), file("", 9));
  const auto header = parse_npy_header(bad, "some.npy");
  REQUIRE_FALSE(header);
  CHECK(header.error().code == ErrorCode::invalid_argument);
  CHECK(header.error().message.find("some.npy") == 0);
}

TEST_CASE("A header cut anywhere is refused") {
  const std::string whole = tools::format_npy_header({.descr = "<f4", .shape = {8, 16}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    INFO("cut to " << size);
    CHECK_FALSE(parse_npy_header(whole.substr(0, size), "x"));
  }
}
