#include "codegen/edit_distance.h"

#include <array>

#include "tests/support/catch.h"

using lathe::codegen::did_you_mean;
using lathe::codegen::edit_distance;

TEST_CASE("the distance counts insertions, deletions and replacements") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("abc", "abc") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("hidden", "hiden") == 1);
  CHECK(edit_distance("BF16", "bf16") == 0);
}

TEST_CASE("only a name that is near is suggested") {
  constexpr std::array<std::string_view, 4> known{"hidden_size", "heads", "dtype", "f16"};
  CHECK(did_you_mean("hiddensize", known) == "; did you mean hidden_size?");
  CHECK(did_you_mean("head", known) == "; did you mean heads?");
  CHECK(did_you_mean("DType", known) == "; did you mean dtype?");
  CHECK(did_you_mean("f17", known) == "; did you mean f16?");
  CHECK(did_you_mean("f64", known).empty());
  CHECK(did_you_mean("epsilon", known).empty());
  CHECK(did_you_mean("", known).empty());
  CHECK(did_you_mean("x", {}).empty());
  CHECK(did_you_mean(std::string(100'000, 'h'), known).empty());
}
