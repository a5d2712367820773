#include "runtime/ptx/types.h"

#include <array>
#include <cstddef>

namespace lathe::runtime::ptx {

namespace {

struct TypeFacts {
  Type type;
  std::string_view name;
  unsigned bits;
};

/// In the order of the enumeration.
constexpr std::array kTypes{
    TypeFacts{Type::pred, "pred", 1},      TypeFacts{Type::b8, "b8", 8},
    TypeFacts{Type::b16, "b16", 16},       TypeFacts{Type::b32, "b32", 32},
    TypeFacts{Type::b64, "b64", 64},       TypeFacts{Type::b128, "b128", 128},
    TypeFacts{Type::u8, "u8", 8},          TypeFacts{Type::u16, "u16", 16},
    TypeFacts{Type::u32, "u32", 32},       TypeFacts{Type::u64, "u64", 64},
    TypeFacts{Type::s8, "s8", 8},          TypeFacts{Type::s16, "s16", 16},
    TypeFacts{Type::s32, "s32", 32},       TypeFacts{Type::s64, "s64", 64},
    TypeFacts{Type::f16, "f16", 16},       TypeFacts{Type::f16x2, "f16x2", 32},
    TypeFacts{Type::bf16, "bf16", 16},     TypeFacts{Type::bf16x2, "bf16x2", 32},
    TypeFacts{Type::tf32, "tf32", 32},     TypeFacts{Type::f32, "f32", 32},
    TypeFacts{Type::f32x2, "f32x2", 64},   TypeFacts{Type::f64, "f64", 64},
    TypeFacts{Type::e4m3, "e4m3", 8},      TypeFacts{Type::e5m2, "e5m2", 8},
    TypeFacts{Type::e4m3x2, "e4m3x2", 16}, TypeFacts{Type::e5m2x2, "e5m2x2", 16},
    TypeFacts{Type::u16x2, "u16x2", 32},   TypeFacts{Type::s16x2, "s16x2", 32},
};

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < kTypes.size(); ++i) {
    if (kTypes[i].type != static_cast<Type>(i)) return false;
  }
  return true;
}
static_assert(is_in_order() && kTypes.back().type == Type::s16x2);

}  // namespace

std::optional<Type> type_named(std::string_view name) {
  for (const TypeFacts& facts : kTypes) {
    if (facts.name == name) return facts.type;
  }
  return std::nullopt;
}

std::string_view name_of(Type type) {
  return kTypes[static_cast<std::size_t>(type)].name;
}

unsigned bits_of(Type type) {
  return kTypes[static_cast<std::size_t>(type)].bits;
}

bool is_signed(Type type) {
  return (type >= Type::s8 && type <= Type::s64) || type == Type::s16x2;
}

bool is_floating(Type type) {
  return type >= Type::f16 && type <= Type::e5m2x2;
}

std::string_view name_of(Space space) {
  switch (space) {
    case Space::generic:
      return "generic";
    case Space::global:
      return "global";
    case Space::constant:
      return "const";
    case Space::shared:
      return "shared";
    case Space::shared_cluster:
      return "shared::cluster";
    case Space::local:
      return "local";
    case Space::param:
      return "param";
  }
  return "unknown";
}

}  // namespace lathe::runtime::ptx
