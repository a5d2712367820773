#include "tools/lathe/launch_tensor.h"

#include <cstring>

#include "tests/support/catch.h"

using namespace lathe;
using codegen::Argument;
using codegen::ArgumentKind;
using tools::LaunchTensor;

TEST_CASE("Strides come from the members named after the tensor, in the order of its extents") {
  const std::vector<Argument> arguments{{"x", ArgumentKind::input, f32, 0, {{0, "rows"}, {3}, {8}}},
                                        {"x_row_stride", ArgumentKind::scalar, i64, 0},
                                        {"x_in_row_stride", ArgumentKind::scalar, i64, 8},
                                        {"x_head_stride", ArgumentKind::scalar, i64, 16}};
  const long long values[] = {100, 7, 20};
  const LaunchTensor tensor{.argument = arguments[0], .shape = {4, 3, 8}, .strides = {}};
  CHECK(tools::strides_of(tensor, arguments, std::as_bytes(std::span(values))) ==
        std::vector<std::int64_t>{100, 20, 1});
  const long long zeros[] = {0, 0, 0};
  CHECK(tools::strides_of(tensor, arguments, std::as_bytes(std::span(zeros))) ==
        std::vector<std::int64_t>{24, 8, 1});
}

TEST_CASE("The span reaches from the first element to the last") {
  const LaunchTensor strided{.argument = Argument(), .shape = {4, 3, 8}, .strides = {100, 20, 1}};
  CHECK(strided.span_elements() == 348);
  const LaunchTensor empty{.argument = Argument(), .shape = {0, 8}, .strides = {8, 1}};
  CHECK(empty.span_elements() == 0);
  CHECK(empty.element_count() == 0);
}
