#include "tools/lathe/launch_arguments.h"

#include <cstring>

#include "tests/support/catch.h"

using namespace lathe;
using tools::GivenArguments;
using tools::LaunchArguments;
using tools::NpyArray;
using tools::NpyType;

namespace {

NpyArray zeros(std::vector<std::int64_t> shape, NpyType type = NpyType::f4) {
  NpyArray array{.type = type, .shape = std::move(shape), .bytes = {}};
  array.bytes.resize(static_cast<std::size_t>(array.element_count()) * tools::size_of(type));
  return array;
}

KernelSpec norm(RmsNormSpec spec) {
  const auto normalized = codegen::op_of(KernelSpec(spec)).normalize(spec);
  REQUIRE(normalized);
  return *normalized;
}

GivenArguments inputs(std::vector<std::int64_t> x_shape) {
  GivenArguments given;
  given.inputs.emplace("x", zeros(std::move(x_shape)));
  given.inputs.emplace("weight", zeros({16}));
  return given;
}

RmsNormArgs args_of(const LaunchArguments& launch) {
  RmsNormArgs args;
  REQUIRE(launch.bytes().size() == sizeof args);
  std::memcpy(&args, launch.bytes().data(), sizeof args);
  return args;
}

std::string message_of(const Result<LaunchArguments>& result) {
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::invalid_argument);
  return result.error().message;
}

}  // namespace

TEST_CASE("Counts follow from shapes, strides from packing, scalars from their defaults") {
  const auto launch = LaunchArguments::make(norm({.hidden_size = 16}), inputs({5, 16}));
  REQUIRE(launch);
  const RmsNormArgs args = args_of(*launch);
  CHECK(args.rows == 5);
  CHECK(args.x_row_stride == 16);
  CHECK(args.epsilon == 1e-6f);
  REQUIRE(launch->tensors().size() == 3);
  CHECK(launch->tensors()[1].shape == std::vector<std::int64_t>{5, 1, 16});
}

TEST_CASE("What is set is used") {
  GivenArguments given = inputs({5, 16});
  given.scalars = {{"epsilon", "0.5"}, {"x_row_stride", "32"}, {"rows", "5"}};
  const auto launch = LaunchArguments::make(norm({.hidden_size = 16}), given);
  REQUIRE(launch);
  CHECK(args_of(*launch).epsilon == 0.5f);
  CHECK(launch->tensors()[0].span_elements() == 4 * 32 + 16);
}

TEST_CASE("Heads of one may be given or left out, a row of one element may not") {
  CHECK(LaunchArguments::make(norm({.hidden_size = 16}), inputs({5, 1, 16})));
  GivenArguments given;
  given.inputs.emplace("x", zeros({5, 1}));
  given.inputs.emplace("weight", zeros({1}));
  CHECK(LaunchArguments::make(norm({.hidden_size = 1}), given));
  given.inputs["x"] = zeros({5});
  CHECK_FALSE(LaunchArguments::make(norm({.hidden_size = 1}), given));
}

TEST_CASE("A shape that does not fit is told with tensor, expected and found") {
  CHECK(message_of(LaunchArguments::make(norm({.hidden_size = 16}), inputs({5, 17}))) ==
        "x: expected shape [rows, 16], found [5, 17]");
  GivenArguments given = inputs({5, 16});
  given.scalars = {{"rows", "4"}};
  CHECK(message_of(LaunchArguments::make(norm({.hidden_size = 16}), given)) ==
        "x: expected shape [rows, 16], rows = 4, found [5, 16]");
  given = inputs({5, 16});
  given.inputs.emplace("residual_in", zeros({6, 16}));
  CHECK(message_of(
            LaunchArguments::make(norm({.hidden_size = 16, .residual = Residual::round_then_norm}), given)) ==
        "residual_in: expected shape [rows, 16], rows = 5, found [6, 16]");
}

TEST_CASE("An element type that does not fit is told with tensor, expected and found") {
  GivenArguments given = inputs({5, 16});
  given.inputs["x"] = zeros({5, 16}, NpyType::i4);
  CHECK(message_of(LaunchArguments::make(norm({.hidden_size = 16}), given)) ==
        "x: expected a floating-point array for bf16, found int32");
}

TEST_CASE("Names that are not there are refused with what was perhaps meant") {
  GivenArguments given = inputs({5, 16});
  given.inputs.emplace("weigth", zeros({16}));
  CHECK(message_of(LaunchArguments::make(norm({.hidden_size = 16}), given)) ==
        "there is no input \"weigth\"; did you mean weight?");
  given = inputs({5, 16});
  given.scalars = {{"eps", "1"}};
  CHECK_FALSE(LaunchArguments::make(norm({.hidden_size = 16}), given));
  given = inputs({5, 16});
  given.inputs.emplace("y", zeros({5, 16}));
  CHECK_FALSE(LaunchArguments::make(norm({.hidden_size = 16}), given));
}

TEST_CASE("An input that is missing, and numbers that are none, are refused") {
  GivenArguments given = inputs({5, 16});
  given.inputs.erase("weight");
  CHECK(message_of(LaunchArguments::make(norm({.hidden_size = 16}), given)) == "the input weight is missing");
  const auto scalar =
      GENERATE(std::pair("rows", "5x"), std::pair("rows", "1.5"), std::pair("epsilon", "small"),
               std::pair("x_row_stride", "-16"), std::pair("epsilon", "-1"));
  given = inputs({5, 16});
  given.scalars = {{scalar.first, scalar.second}};
  CHECK_FALSE(LaunchArguments::make(norm({.hidden_size = 16}), given));
}

TEST_CASE("Only outputs can be written") {
  const auto launch = LaunchArguments::make(norm({.hidden_size = 16}), inputs({5, 16}));
  REQUIRE(launch);
  CHECK(launch->check_output("y"));
  CHECK_FALSE(launch->check_output("x"));
  CHECK_FALSE(launch->check_output("residual_out"));
}
