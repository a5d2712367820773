#include "runtime/ptx/comparison.h"

#include <cstdint>
#include <limits>

#include "tests/support/catch.h"

namespace lathe::runtime::ptx::comparison {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kSmallest = std::numeric_limits<float>::denorm_min();

/// Whether the relation holds of (1, 2), (2, 2), (2, 1) and of a number and a NaN, as digits.
template <Relation kRelation>
int outcomes() {
  return (holds<kRelation>(1.0F, 2.0F) ? 1000 : 0) + (holds<kRelation>(2.0F, 2.0F) ? 100 : 0) +
         (holds<kRelation>(2.0F, 1.0F) ? 10 : 0) + (holds<kRelation>(kNan, 1.0F) ? 1 : 0);
}

TEST_CASE("relations of less, equal, greater and unordered values") {
  CHECK(outcomes<Relation::eq>() == 100);
  CHECK(outcomes<Relation::ne>() == 1010);
  CHECK(outcomes<Relation::lt>() == 1000);
  CHECK(outcomes<Relation::le>() == 1100);
  CHECK(outcomes<Relation::gt>() == 10);
  CHECK(outcomes<Relation::ge>() == 110);
  CHECK(outcomes<Relation::equ>() == 101);
  CHECK(outcomes<Relation::neu>() == 1011);
  CHECK(outcomes<Relation::ltu>() == 1001);
  CHECK(outcomes<Relation::leu>() == 1101);
  CHECK(outcomes<Relation::gtu>() == 11);
  CHECK(outcomes<Relation::geu>() == 111);
  CHECK(outcomes<Relation::num>() == 1110);
  CHECK(outcomes<Relation::nan>() == 1);
}

TEST_CASE("integers are compared as their type says") {
  CHECK(holds<Relation::lt>(-1, 0));
  CHECK_FALSE(holds<Relation::lt>(0xffffffffU, 0U));
  CHECK(holds<Relation::gt>(std::uint16_t{0xffff}, std::uint16_t{0}));
}

TEST_CASE("zeros are equal, whatever their signs") {
  CHECK(holds<Relation::eq>(0.0F, -0.0F));
  CHECK_FALSE(holds<Relation::lt>(-0.0, 0.0));
}

TEST_CASE("every value is finite, infinite or no number, and if finite, normal or subnormal") {
  CHECK(is_finite(-1.0F));
  CHECK(is_infinite(-kInfinity));
  CHECK(is_number(kInfinity));
  CHECK_FALSE(is_number(kNan));
  CHECK(is_not_a_number(kNan));
  CHECK(is_normal(-0.0F));
  CHECK_FALSE(is_normal(kInfinity));
  CHECK_FALSE(is_normal(kSmallest));
  CHECK(is_subnormal(-kSmallest));
  CHECK_FALSE(is_subnormal(0.0F));
  CHECK_FALSE(is_subnormal(kNan));
}

TEST_CASE("a sign selects") {
  CHECK(select_by_sign(1, 2, -1) == 2);
  CHECK(select_by_sign(1, 2, 0) == 1);
  CHECK(select_by_sign(1, 2, -0.0F) == 1);
  CHECK(select_by_sign(1, 2, kNan) == 2);
  CHECK(select_by_sign(1, 2, -kSmallest) == 2);
  CHECK(select_by_flushed_sign(1, 2, -kSmallest) == 1);
  CHECK(select_by_flushed_sign(1, 2, -kInfinity) == 2);
}

}  // namespace
}  // namespace lathe::runtime::ptx::comparison
