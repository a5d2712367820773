#include "runtime/ptx/types.h"

#include "tests/support/catch.h"

using lathe::runtime::ptx::bits_of;
using lathe::runtime::ptx::is_floating;
using lathe::runtime::ptx::is_signed;
using lathe::runtime::ptx::name_of;
using lathe::runtime::ptx::Space;
using lathe::runtime::ptx::Type;
using lathe::runtime::ptx::type_named;

TEST_CASE("ptx types: every name leads back to its type") {
  for (int i = 0; i <= static_cast<int>(Type::s16x2); ++i) {
    const auto type = static_cast<Type>(i);
    INFO(name_of(type));
    CHECK(type_named(name_of(type)) == type);
  }
  CHECK_FALSE(type_named("").has_value());
  CHECK_FALSE(type_named(".u32").has_value());
  CHECK_FALSE(type_named("u31").has_value());
}

TEST_CASE("ptx types: sizes") {
  CHECK(bits_of(Type::pred) == 1);
  CHECK(bits_of(Type::b128) == 128);
  CHECK(bits_of(Type::u16x2) == 32);
  CHECK(bits_of(Type::bf16) == 16);
  CHECK(bits_of(Type::tf32) == 32);
  CHECK(bits_of(Type::f32x2) == 64);
  CHECK(bits_of(Type::e4m3) == 8);
  CHECK(bits_of(Type::e5m2x2) == 16);
  CHECK(bytes_of(Type::s64) == 8);
}

TEST_CASE("ptx types: families") {
  CHECK(is_signed(Type::s8));
  CHECK(is_signed(Type::s64));
  CHECK(is_signed(Type::s16x2));
  CHECK_FALSE(is_signed(Type::u16x2));
  CHECK_FALSE(is_signed(Type::b32));
  CHECK_FALSE(is_signed(Type::f32));
  CHECK(is_floating(Type::f16));
  CHECK(is_floating(Type::f64));
  CHECK(is_floating(Type::e5m2x2));
  CHECK_FALSE(is_floating(Type::s64));
  CHECK_FALSE(is_floating(Type::u16x2));
  CHECK_FALSE(is_floating(Type::pred));
}

TEST_CASE("ptx types: names of spaces") {
  CHECK(name_of(Space::generic) == "generic");
  CHECK(name_of(Space::global) == "global");
  CHECK(name_of(Space::constant) == "const");
  CHECK(name_of(Space::shared) == "shared");
  CHECK(name_of(Space::shared_cluster) == "shared::cluster");
  CHECK(name_of(Space::local) == "local");
  CHECK(name_of(Space::param) == "param");
}
