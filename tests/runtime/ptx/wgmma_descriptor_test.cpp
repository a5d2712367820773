// Matrix descriptors: fields, and the address of each element in every layout.
#include <cstdint>
#include <random>
#include <string_view>

#include "runtime/ptx/wgmma_descriptor.h"
#include "tests/runtime/ptx/wgmma_layouts.h"
#include "tests/support/catch.h"

using namespace lathe::runtime::ptx;
using namespace lathe::tests;
using namespace lathe::tests::wgmma;

namespace {

/// The byte where an element of the part from `first_k` on begins.
std::uint32_t address_of(const MatrixLayout& memory, bool is_transposed, unsigned mn, unsigned k,
                         unsigned element) {
  const unsigned line = is_transposed ? k : mn;
  const unsigned byte = (is_transposed ? mn : k) * element;
  return memory.chunk(line, byte / 16) + byte % 16;
}

void check_layout(const Layout& layout, const Extent& extent, std::uint32_t base) {
  CAPTURE(layout.span, layout.is_mn_major, layout.is_depth_first, layout.shift, extent.mn, extent.depth,
          extent.element, base);
  const unsigned step = 32 / extent.element;
  unsigned wrong = 0;
  for (unsigned first = 0; first < extent.depth; first += step) {
    const std::uint64_t bits = encoded(strides_of(layout, extent, first), layout) + (base >> 4);
    const auto descriptor = matrix_descriptor(bits);
    REQUIRE(descriptor);
    const MatrixLayout memory(*descriptor, layout.is_mn_major);
    for (unsigned mn = 0; mn < extent.mn; ++mn) {
      for (unsigned k = 0; k < step; ++k) {
        const std::uint32_t wanted = base + layout.shift + place_of(layout, extent, mn, first + k);
        if (address_of(memory, layout.is_mn_major, mn, k, extent.element) != wanted) ++wrong;
      }
    }
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("a descriptor has addresses of 18 bits without the lowest four") {
  const auto zero = matrix_descriptor(0);
  REQUIRE(zero);
  CHECK(zero->start == 0);
  CHECK(zero->swizzle == Swizzle::none);
  const auto descriptor =
      matrix_descriptor(0x1234 | 0x0567ull << 16 | 0x3fffull << 32 | 5ull << 49 | 2ull << 62);
  REQUIRE(descriptor);
  CHECK(descriptor->start == 0x12340);
  CHECK(descriptor->leading == 0x5670);
  CHECK(descriptor->stride == 0x3fff0);
  CHECK(descriptor->base_offset == 5);
  CHECK(descriptor->swizzle == Swizzle::bytes_64);
  CHECK(matrix_descriptor(1ull << 62)->swizzle == Swizzle::bytes_128);
  CHECK(matrix_descriptor(3ull << 62)->swizzle == Swizzle::bytes_32);
}

TEST_CASE("a descriptor with bits that have no meaning is none") {
  for (const unsigned bit : {14, 15, 30, 31, 46, 47, 48, 52, 56, 61}) {
    CAPTURE(bit);
    CHECK(!matrix_descriptor(std::uint64_t{1} << bit));
  }
}

TEST_CASE("every element is where the layout has it") {
  for (const Layout& layout : kKMajor) {
    for (const unsigned element : {1u, 2u, 4u}) {
      for (const unsigned mn : {8u, 24u, 64u, 256u}) check_layout(layout, {mn, 256 / element, element}, 4096);
    }
  }
  for (const Layout& layout : kMnMajor) {
    for (const unsigned mn : {8u, 24u, 64u, 256u}) check_layout(layout, {mn, 64, 2}, 1024);
  }
}

TEST_CASE("the base offset says where the pattern begins") {
  for (const unsigned shift : {128u, 384u, 896u}) {
    for (Layout layout : kKMajor) {
      layout.shift = shift;
      if (layout.span != 16) check_layout(layout, {64, 128, 2}, 2048);
    }
    for (Layout layout : kMnMajor) {
      layout.shift = shift;
      if (layout.span != 16) check_layout(layout, {64, 64, 2}, 2048);
    }
  }
}

// Numbers that the ISA gives as examples, in elements.
TEST_CASE("the ISA's examples of layouts") {
  // K-major, tf32, no swizzle: ((8,2),(4,4)):((4,32),(1,64))
  const MatrixLayout plain({.leading = 64 * 4, .stride = 32 * 4}, false);
  CHECK(plain.chunk(1, 0) == 4 * 4);
  CHECK(plain.chunk(8, 0) == 32 * 4);
  CHECK(plain.chunk(0, 1) == 64 * 4);
  // MN-major, bf16, no swizzle: ((8,1,2),(8,2)):((1,8,64),(8,128))
  const MatrixLayout transposed({.leading = 128 * 2, .stride = 64 * 2}, true);
  CHECK(transposed.chunk(1, 0) == 8 * 2);
  CHECK(transposed.chunk(8, 0) == 128 * 2);
  CHECK(transposed.chunk(0, 1) == 64 * 2);
  // MN-major, bf16, 32 bytes: Swizzle<1,4,3> o ((8,2,2),(8,2)):((1,8,128),(16,256))
  const MatrixLayout swizzled({.leading = 128 * 2, .stride = 256 * 2, .swizzle = Swizzle::bytes_32}, true);
  CHECK(swizzled.chunk(1, 0) == 16 * 2);
  CHECK(swizzled.chunk(4, 0) == (4 * 16 + 8) * 2);  // line 4 is the first whose chunks change places
  CHECK(swizzled.chunk(8, 0) == 256 * 2);
  CHECK(swizzled.chunk(0, 2) == 128 * 2);
}
