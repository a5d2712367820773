// cvt of and to integers; between floats: float_conversions_test.cpp.
#include <cmath>
#include <limits>

#include "tests/runtime/ptx/cpu_rounding.h"
#include "tests/runtime/ptx/float_expectation.h"

using namespace lathe::runtime::ptx;
using namespace lathe::tests;

namespace {

__extension__ typedef __int128 Wide;

struct IntegerType {
  const char* name;
  unsigned bits;
  bool is_signed;

  Wide lowest() const { return is_signed ? -(Wide{1} << (bits - 1)) : 0; }
  Wide highest() const { return (Wide{1} << (is_signed ? bits - 1 : bits)) - 1; }
  /// Of the lower bits of a register.
  Wide value_of(std::uint64_t reg) const {
    const Wide low = static_cast<Wide>(reg) & ((Wide{1} << bits) - 1);
    return low > highest() ? low - (Wide{1} << bits) : low;
  }
};
constexpr IntegerType kIntegers[] = {{"u8", 8, false},   {"s8", 8, true},    {"u16", 16, false},
                                     {"s16", 16, true},  {"u32", 32, false}, {"s32", 32, true},
                                     {"u64", 64, false}, {"s64", 64, true}};

std::vector<std::uint64_t> integer_samples() {
  std::vector<std::uint64_t> values{0, 1, 2, ~std::uint64_t{0}};
  for (const unsigned bit :
       {6U, 7U, 8U, 11U, 14U, 15U, 16U, 23U, 24U, 30U, 31U, 32U, 33U, 52U, 53U, 62U, 63U}) {
    const std::uint64_t power = std::uint64_t{1} << bit;
    for (const std::uint64_t value :
         {power - 1, power, power + 1, power + power / 2, 0 - power, 0 - power - 1})
      values.push_back(value);
  }
  std::mt19937_64 random(3);
  for (int i = 0; i < 50; ++i) values.push_back(random() >> (random() % 64));
  return values;
}

/// A value in [0, 2^64), that a comparison shows in full.
std::uint64_t register_of(Wide value) {
  return static_cast<std::uint64_t>(value);
}

// Expected integers of floats.

/// Rounding by its definition, of what is not already an integer for being large.
double rounded_to_integer(double value, const std::string& rounding) {
  if (!(std::fabs(value) < 0x1p52)) return value;
  const double below = static_cast<double>(static_cast<std::int64_t>(value)) - (value < 0 ? 1 : 0);
  const double floor = below + 1 <= value ? below + 1 : below;
  const double rest = value - floor;
  if (rounding == "rmi" || rest == 0) return floor;
  if (rounding == "rpi") return floor + 1;
  if (rounding == "rzi") return value < 0 ? floor + 1 : floor;
  const bool is_odd = std::fmod(floor, 2) != 0;
  return rest > 0.5 || (rest == 0.5 && is_odd) ? floor + 1 : floor;
}

Wide expected_integer(double value, const std::string& rounding, const IntegerType& to, bool from_f64) {
  if (std::isnan(value)) {
    if (!from_f64 && to.bits < 64) return 0;
    return to.is_signed ? to.lowest() : Wide{1} << (to.bits - 1);
  }
  const double number = rounded_to_integer(value, rounding);
  if (number >= 0x1p64) return to.highest();
  if (number <= -0x1p64) return to.lowest();
  return std::clamp(static_cast<Wide>(number), to.lowest(), to.highest());
}

/// The samples, halves, and the ends of the integer types' ranges.
template <class T>
std::vector<T> float_operands() {
  std::vector<T> values = samples<T>(60);
  for (const double base : {0.0, 1.0, 2.0, 3.0, 126.0, 127.0, 128.0, 255.0, 256.0, 32767.0, 65535.0, 0x1p31,
                            0x1p32, 0x1p53, 0x1p63, 0x1p64, 0x1p65}) {
    for (const double delta : {-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0}) {
      values.push_back(narrowed<T>(base + delta));
      values.push_back(narrowed<T>(-base - delta));
    }
  }
  return values;
}

template <class T>
void check_to_integers(const std::string& from) {
  const auto operands = float_operands<T>();
  for (const IntegerType& to : kIntegers) {
    if (from == "bf16" && to.bits == 8) continue;
    for (const std::string rounding : {"rni", "rzi", "rmi", "rpi"}) {
      const std::string instruction = fmt::format("cvt.{}.{}.{} d, a;", rounding, to.name, from);
      const auto results = evaluate<std::uint64_t>(instruction, operands);
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < operands.size(); ++i) {
        const Wide expected = expected_integer(widened(operands[i]), rounding, to, std::is_same_v<T, double>);
        if (results[i] == register_of(expected)) continue;
        if (++wrong < 4)
          UNSCOPED_INFO(shown(operands[i]) << ": " << results[i] << ", not " << register_of(expected));
      }
      INFO(instruction);
      CHECK(wrong == 0);
    }
  }
}

/// Of values that the C++ type holds; the CPU converts them in the mode.
template <class Integer, class Float>
void check_from_integer(const char* from, const char* to) {
  std::vector<Integer> operands;
  for (const std::uint64_t value : integer_samples()) operands.push_back(static_cast<Integer>(value));
  for (const auto& [name, rounding, mode] : kDirections) {
    const std::string instruction = fmt::format("cvt.{}.{}.{} d, a;", name, to, from);
    const auto results = evaluate<Float>(instruction, operands);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < operands.size(); ++i) {
      const Float expected =
          in_mode(mode, [](Integer value) { return static_cast<Float>(value); }, operands[i]);
      if (to_bits(results[i]) != to_bits(expected)) ++wrong;
    }
    INFO(instruction);
    CHECK(wrong == 0);
  }
}

template <class Float>
void check_from_integers(const char* to) {
  check_from_integer<std::uint16_t, Float>("u16", to);
  check_from_integer<std::int16_t, Float>("s16", to);
  check_from_integer<std::uint32_t, Float>("u32", to);
  check_from_integer<std::int32_t, Float>("s32", to);
  check_from_integer<std::uint64_t, Float>("u64", to);
  check_from_integer<std::int64_t, Float>("s64", to);
}

}  // namespace

TEST_CASE("cvt between integers cuts off, extends and saturates") {
  const auto operands = integer_samples();
  for (const IntegerType& from : kIntegers) {
    for (const IntegerType& to : kIntegers) {
      const bool saturates = from.lowest() < to.lowest() || from.highest() > to.highest();
      const auto cut_off =
          evaluate<std::uint64_t>(fmt::format("cvt.{}.{} d, a;", to.name, from.name), operands);
      for (std::size_t i = 0; i < operands.size(); ++i) {
        INFO(to.name << " " << from.name << " " << operands[i]);
        CHECK(cut_off[i] == register_of(to.value_of(register_of(from.value_of(operands[i])))));
      }
      if (!saturates) continue;
      const auto clamped =
          evaluate<std::uint64_t>(fmt::format("cvt.sat.{}.{} d, a;", to.name, from.name), operands);
      for (std::size_t i = 0; i < operands.size(); ++i) {
        INFO("sat " << to.name << " " << from.name << " " << operands[i]);
        CHECK(clamped[i] == register_of(std::clamp(from.value_of(operands[i]), to.lowest(), to.highest())));
      }
    }
  }
}

TEST_CASE("cvt between integers in registers of every width") {
  const std::vector<std::uint16_t> halves{0x0080, 0xff7f};
  CHECK(evaluate<std::uint16_t>("cvt.s16.s8 d, a;", halves) == std::vector<std::uint16_t>{0xff80, 0x007f});
  CHECK(evaluate<std::uint32_t>("cvt.u32.u8 d, a;", halves) == std::vector<std::uint32_t>{0x80, 0x7f});
  CHECK(evaluate<std::uint32_t>("cvt.s32.s16 d, a;", halves) == std::vector<std::uint32_t>{0x80, 0xffffff7f});
  const std::vector<std::uint32_t> words{0x12345678, 0xfedcba98};
  CHECK(evaluate<std::uint16_t>("cvt.u16.u32 d, a;", words) == std::vector<std::uint16_t>{0x5678, 0xba98});
  CHECK(evaluate<std::uint16_t>("cvt.s8.s32 d, a;", words) == std::vector<std::uint16_t>{0x0078, 0xff98});
  CHECK(evaluate<std::uint64_t>("cvt.s64.s32 d, a;", words) ==
        std::vector<std::uint64_t>{0x12345678, 0xfffffffffedcba98});
  CHECK(evaluate<std::uint64_t>("cvt.u64.u32 d, a;", words) ==
        std::vector<std::uint64_t>{0x12345678, 0xfedcba98});
  CHECK(evaluate<std::uint32_t>("cvt.u32.u64 d, a;", std::vector<std::uint64_t>{0x123456789}) ==
        std::vector<std::uint32_t>{0x23456789});
  CHECK(evaluate<std::uint64_t>("cvt.s64.s8 d, -56;", words)[0] == 0xffffffffffffffc8);
}

TEST_CASE("cvt leaves other lanes alone") {
  const std::vector<std::uint32_t> values{1, 2, 3, 4};
  CHECK(evaluate<std::uint32_t>("mov.u32 d, 9;\nsetp.gt.u32 p, a, 2;\n@p cvt.s32.s16 d, a;", values) ==
        std::vector<std::uint32_t>{9, 9, 3, 4});
  CHECK(evaluate<std::uint64_t>("mov.u64 d, 9;\nsetp.gt.u32 p, a, 2;\n@p cvt.u16.u32 d, a;", values) ==
        std::vector<std::uint64_t>{9, 9, 3, 4});
}

TEST_CASE("cvt of floats to integers rounds and stays in the range") {
  check_to_integers<float>("f32");
  check_to_integers<double>("f64");
  check_to_integers<F16>("f16");
  check_to_integers<Bf16>("bf16");
}

TEST_CASE("cvt.ftz takes subnormal operands for zero") {
  const std::vector<float> tiny{0x1p-130F, -0x1p-130F, 0x1p-126F, -0x1p-126F};
  CHECK(evaluate<std::uint32_t>("cvt.rpi.s32.f32 d, a;", tiny) == std::vector<std::uint32_t>{1, 0, 1, 0});
  CHECK(evaluate<std::uint32_t>("cvt.rpi.ftz.s32.f32 d, a;", tiny) == std::vector<std::uint32_t>{0, 0, 1, 0});
  CHECK(evaluate<std::uint32_t>("cvt.rmi.ftz.sat.s32.f32 d, a;", tiny) ==
        std::vector<std::uint32_t>{0, 0, 0, 0xffffffff});
}

TEST_CASE("cvt of integers to floats rounds in each direction") {
  check_from_integers<float>("f32");
  check_from_integers<double>("f64");
}

TEST_CASE("cvt of integers to halves") {
  const std::vector<std::int32_t> values{0, 1, -1, 2049, -2049, 65519, 65520, -70000, 257};
  for (const auto& [name, rounding, mode] : kDirections) {
    const auto f16s = evaluate<F16>(fmt::format("cvt.{}.f16.s32 d, a;", name), values);
    const auto bf16s = evaluate<Bf16>(fmt::format("cvt.{}.bf16.s32 d, a;", name), values);
    for (std::size_t i = 0; i < values.size(); ++i) {
      INFO(name << " " << values[i]);
      CHECK(f16s[i].bits == double_to_f16(values[i], rounding));
      CHECK(bf16s[i].bits == double_to_bf16(values[i], rounding));
    }
  }
  const std::vector<std::uint64_t> large{0x8080000000000001, 0x8080000000000000};  // above a tie, and a tie
  CHECK(evaluate<Bf16>("cvt.rn.bf16.u64 d, a;", large)[0].bits == 0x5f01);
  CHECK(evaluate<Bf16>("cvt.rn.bf16.u64 d, a;", large)[1].bits == 0x5f00);
  CHECK(evaluate<F16>("cvt.rn.f16.u8 d, a;", std::vector<std::uint16_t>{0x1ff})[0].bits == 0x5bf8);
}

TEST_CASE("cvt.sat of integers to floats clamps to [0, 1]") {
  const std::vector<std::int32_t> values{-3, 0, 1, 2};
  CHECK(evaluate<float>("cvt.rn.sat.f32.s32 d, a;", values) == std::vector<float>{0, 0, 1, 1});
  CHECK(evaluate<double>("cvt.rn.sat.f64.s32 d, a;", values) == std::vector<double>{0, 0, 1, 1});
}

TEST_CASE("forms of cvt with integers that PTX does not have are refused") {
  for (const char* instruction : {"cvt.s32.f32 r0, f0",
                                  "cvt.rn.s32.f32 r0, f0",
                                  "cvt.f32.s32 f0, r0",
                                  "cvt.rni.f32.s32 f0, r0",
                                  "cvt.rn.s32.s64 r0, l0",
                                  "cvt.ftz.s32.s64 r0, l0",
                                  "cvt.sat.s64.s32 l0, r0",
                                  "cvt.sat.s32.u16 r0, h0",
                                  "cvt.rni.ftz.s32.f64 r0, g0",
                                  "cvt.rni.relu.s32.f32 r0, f0",
                                  "cvt.rn.satfinite.f32.s32 f0, r0",
                                  "cvt.rni.s8.bf16 h0, h1",
                                  "cvt.rn.bf16.u8 h0, h1",
                                  "cvt.rn.sat.bf16.s32 h0, r0",
                                  "cvt.rni.sat.s32.bf16 r0, h0",
                                  "cvt.rna.f32.s32 f0, r0",
                                  "cvt.u64.u32 r0, r1",
                                  "cvt.u32.u64 r0, r1",
                                  "cvt.u32 r0, r1",
                                  "cvt.u32.u16 r0, h0, h1",
                                  "cvt.b32.u16 r0, h0",
                                  "cvt.rni.s32.bf16 r0, r1"}) {
    check_refused(instruction);
  }
}
