#include "tests/reference/attention.h"

#include <cmath>
#include <limits>

#include "tests/support/catch.h"

using namespace lathe::reference;

namespace {

using Rows = std::vector<std::vector<double>>;

/// Keys whose products with q are 0, ln 2 and ln 4: weights 1, 2 and 4 of 7.
const Rows kKeys{{0, 5}, {std::log(2.0), 5}, {std::log(4.0), 5}};
const Rows kValues{{1, 0}, {0, 1}, {7, 7}};

AttentionQuery query() {
  return {.query = 0, .query_length = 1, .kv_length = 3, .q = {1, 0}};
}

bool near(double a, double b) {
  return std::abs(a - b) < 1e-12;
}

}  // namespace

TEST_CASE("attention reference: worked by hand") {
  const AttentionRow row = attention_row(query(), kKeys, kValues);
  CHECK(near(row.o[0], (1 + 4 * 7) / 7.0));
  CHECK(near(row.o[1], (2 + 4 * 7) / 7.0));
  CHECK(near(row.lse, std::log2(7.0)));
  CHECK(near(row.magnitude[0], row.o[0]));
  CHECK(near(row.largest_dot, std::log(4.0)));
}

TEST_CASE("attention reference: a scale multiplies the logits") {
  AttentionQuery scaled = query();
  scaled.scale = 2;  // weights 1, 4, 16
  CHECK(near(attention_row(scaled, kKeys, kValues).o[1], (4 + 16 * 7) / 21.0));
}

TEST_CASE("attention reference: causal is aligned to the last query and key") {
  AttentionQuery first = query();
  first.is_causal = true;
  first.query_length = 2;  // query 0 of 2 sees keys 0 and 1
  CHECK(near(attention_row(first, kKeys, kValues).o[0], 1 / 3.0));
  first.query = 1;
  CHECK(near(attention_row(first, kKeys, kValues).lse, std::log2(7.0)));
  // More queries than keys: the first see nothing.
  AttentionQuery none = query();
  none.is_causal = true;
  none.query_length = 4;
  const AttentionRow row = attention_row(none, kKeys, kValues);
  CHECK(row.o == std::vector<double>{0, 0});
  CHECK(row.lse == -std::numeric_limits<double>::infinity());
}

TEST_CASE("attention reference: a window's left end is seen") {
  AttentionQuery windowed = query();
  windowed.window_left = 1;
  CHECK(near(attention_row(windowed, kKeys, kValues).o[1], (2 + 4 * 7) / 6.0));
  windowed.window_left = 0;
  CHECK(near(attention_row(windowed, kKeys, kValues).o[1], 7.0));
}

TEST_CASE("attention reference: cap, slope, hook, mask and sink") {
  AttentionQuery each = query();
  each.soft_cap = 0.5;
  const double cap = 0.5 * std::tanh(std::log(4.0) / 0.5);
  each.is_visible = [](std::int64_t key) { return key == 2; };
  CHECK(near(attention_row(each, kKeys, kValues).lse, cap / std::log(2.0)));
  each.alibi_slope = 0.25;
  each.query = 1;
  each.query_length = 2;
  CHECK(near(attention_row(each, kKeys, kValues).lse, (cap + 0.25) / std::log(2.0)));
  each.hook = [](double logit, std::int64_t key) { return logit + static_cast<double>(key); };
  CHECK(near(attention_row(each, kKeys, kValues).lse, (cap + 2.25) / std::log(2.0)));
  AttentionQuery sink = query();
  sink.has_sink = true;
  sink.sink = std::log(3.0);
  CHECK(near(attention_row(sink, kKeys, kValues).o[0], (1 + 4 * 7) / 10.0));
  CHECK(near(attention_row(sink, kKeys, kValues).lse, std::log2(10.0)));
}

TEST_CASE("attention reference: parts merge to the whole") {
  const auto part = [&](std::int64_t begin, std::int64_t end) {
    AttentionQuery some = query();
    some.is_visible = [=](std::int64_t key) { return key >= begin && key < end; };
    return attention_row(some, kKeys, kValues);
  };
  const AttentionRow whole = attention_row(query(), kKeys, kValues);
  const AttentionRow merged = merge_rows({part(0, 1), part(1, 1), part(1, 3)});
  CHECK(near(merged.o[0], whole.o[0]));
  CHECK(near(merged.o[1], whole.o[1]));
  CHECK(near(merged.lse, whole.lse));
  CHECK(merge_rows({part(1, 1), part(2, 2)}).lse == -std::numeric_limits<double>::infinity());
}
