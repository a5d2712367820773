#include <lathe/kv_positions.h>

#include <cstdint>
#include <vector>

#include "tests/support/catch.h"

using namespace lathe;
using Ints = std::vector<std::int32_t>;

TEST_CASE("positions of appended tokens end at their sequence's length") {
  const Ints indptr{0, 3, 3, 5};
  const Ints lengths{10, 4, 2};
  Ints rows(7, 99);
  Ints positions(7, 99);
  REQUIRE(kv_append_positions<std::int32_t>(indptr, lengths, rows, positions));
  CHECK(rows == Ints{0, 0, 0, 2, 2, -1, -1});
  CHECK(positions == Ints{7, 8, 9, 0, 1, 0, 0});
}

TEST_CASE("positions of tokens appended to sequences of one length end at the same one") {
  const Ints indptr{0, 1, 3, 6, 10};
  const Ints lengths{5, 5, 5, 5};
  Ints rows(10);
  Ints positions(10);
  REQUIRE(kv_append_positions<std::int32_t>(indptr, lengths, rows, positions));
  CHECK(rows == Ints{0, 1, 1, 2, 2, 2, 3, 3, 3, 3});
  CHECK(positions == Ints{4, 3, 4, 2, 3, 4, 1, 2, 3, 4});
}

TEST_CASE("lengths follow from pages") {
  const std::vector<std::int64_t> indptr{0, 2, 2, 5};
  const std::vector<std::int64_t> last{3, 0, 16};
  std::vector<std::int64_t> lengths(3);
  REQUIRE(kv_lengths<std::int64_t>(indptr, last, 16, lengths));
  CHECK(lengths == std::vector<std::int64_t>{19, 0, 48});
}

TEST_CASE("offsets that do not fit are refused") {
  Ints two(2);
  Ints three(3);
  const Ints lengths{1};
  CHECK(kv_append_positions<std::int32_t>(Ints{0, 2, 3}, lengths, two, two).error().message ==
        "kv_append_positions: 3 offsets for 1 sequences, 2 rows and 2 positions");
  CHECK(kv_append_positions<std::int32_t>(Ints{0, 2}, lengths, two, two).error().message ==
        "kv_append_positions: sequence 0 of length 1 appends tokens 0 to 2 of 2");
  CHECK(!kv_append_positions<std::int32_t>(Ints{0, 3}, Ints{5}, two, two));
  CHECK(!kv_lengths<std::int32_t>(Ints{0, 1}, Ints{1, 2}, 16, two));
}
