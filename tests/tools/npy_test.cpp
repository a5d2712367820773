#include "tools/lathe/npy.h"

#include <cstring>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tools/lathe/elements.h"
#include "tools/lathe/npy_header.h"

using namespace lathe;
using tools::NpyArray;
using tools::NpyType;

namespace {

template <class T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

NpyArray floats(const std::vector<float>& values) {
  return {
      .type = NpyType::f4, .shape = {static_cast<std::int64_t>(values.size())}, .bytes = bytes_of(values)};
}

}  // namespace

TEST_CASE("An array comes back from a file as it was") {
  const tests::TempDir directory;
  const std::string path = (directory.path() / "a.npy").string();
  const NpyType type =
      GENERATE(NpyType::f2, NpyType::f4, NpyType::f8, NpyType::i4, NpyType::i8, NpyType::u1, NpyType::b1);
  NpyArray array{.type = type, .shape = {2, 3}, .bytes = std::vector<std::byte>(6 * tools::size_of(type))};
  for (std::size_t i = 0; i < array.bytes.size(); ++i) array.bytes[i] = static_cast<std::byte>(i * 37);
  REQUIRE(tools::write_npy(path, array));
  const auto back = tools::read_npy(path);
  REQUIRE(back);
  CHECK(back->type == array.type);
  CHECK(back->shape == array.shape);
  CHECK(back->bytes == array.bytes);
}

TEST_CASE("Fortran order and big-endian arrays are refused with what to do") {
  std::string fortran = tools::format_npy_header({.descr = "<f4", .shape = {2}}) + std::string(8, '\0');
  fortran.replace(fortran.find("False"), 5, "True ");
  const auto refused = tools::parse_npy(fortran, "f.npy");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == "f.npy: the array is in Fortran order");
  CHECK(refused.error().hint.find("ascontiguousarray") != std::string::npos);

  const auto big =
      tools::parse_npy(tools::format_npy_header({.descr = ">f4", .shape = {2}}) + std::string(8, '\0'), "b");
  REQUIRE_FALSE(big);
  CHECK(big.error().message.find("big-endian") != std::string::npos);
  CHECK_FALSE(
      tools::parse_npy(tools::format_npy_header({.descr = "<c8", .shape = {1}}) + std::string(8, '\0'), "c"));
}

TEST_CASE("A file with too few or too many bytes is refused") {
  const std::string header = tools::format_npy_header({.descr = "<f4", .shape = {4}});
  CHECK(tools::parse_npy(header + std::string(16, '\0'), "x"));
  for (const std::size_t size : {0, 15, 17})
    CHECK_FALSE(tools::parse_npy(header + std::string(size, '\0'), "x"));
}

TEST_CASE("A shape that overflows is refused, not allocated") {
  const std::int64_t huge = std::int64_t{1} << 40;
  CHECK_FALSE(tools::parse_npy(tools::format_npy_header({.descr = "<f4", .shape = {huge, huge}}), "x"));
  CHECK_FALSE(
      tools::parse_npy(tools::format_npy_header({.descr = "<f8", .shape = {std::int64_t{1} << 61}}), "x"));
  CHECK_FALSE(tools::parse_npy(tools::format_npy_header({.descr = "<f4", .shape = {-1}}), "x"));
}

TEST_CASE("Floats become bf16 by rounding to nearest even, and come back widened") {
  const auto elements = tools::to_elements(floats({1.0f, 1.00390625f, 1.01171875f, -3.0f}), bf16);
  REQUIRE(elements);
  CHECK(*elements == bytes_of<std::uint16_t>({0x3F80, 0x3F80, 0x3F82, 0xC040}));
  const NpyArray back = tools::from_elements(bf16, {4}, *elements);
  CHECK(back.type == NpyType::f4);
  CHECK(back.bytes == bytes_of<float>({1.0f, 1.0f, 1.015625f, -3.0f}));
}

TEST_CASE("Doubles and halves are taken for any floating-point tensor") {
  const NpyArray doubles{.type = NpyType::f8, .shape = {1}, .bytes = bytes_of<double>({0.1})};
  CHECK(*tools::to_elements(doubles, f32) == bytes_of<float>({0.1f}));
  const NpyArray halves{.type = NpyType::f2, .shape = {1}, .bytes = bytes_of<std::uint16_t>({0x3C00})};
  CHECK(*tools::to_elements(halves, bf16) == bytes_of<std::uint16_t>({0x3F80}));
}

TEST_CASE("The payload of a NaN is kept where no rounding is needed") {
  const NpyArray nan{.type = NpyType::f4, .shape = {1}, .bytes = bytes_of<std::uint32_t>({0x7FC12345})};
  CHECK(*tools::to_elements(nan, f32) == nan.bytes);
}

TEST_CASE("Integers keep their type, and others are refused with expected and found") {
  const NpyArray ints{.type = NpyType::i4, .shape = {2}, .bytes = bytes_of<std::int32_t>({1, -2})};
  CHECK(*tools::to_elements(ints, i32) == ints.bytes);
  CHECK(tools::from_elements(i32, {2}, ints.bytes).type == NpyType::i4);
  const auto wider = tools::to_elements(ints, i64);
  REQUIRE_FALSE(wider);
  CHECK(wider.error().message == "expected an array of int64, found int32");
  CHECK_FALSE(tools::to_elements(ints, bf16));
  CHECK_FALSE(tools::to_elements(floats({1.0f}), i32));
  const NpyArray flags{.type = NpyType::b1, .shape = {1}, .bytes = {std::byte{1}}};
  CHECK(*tools::to_elements(flags, u8) == flags.bytes);
}
