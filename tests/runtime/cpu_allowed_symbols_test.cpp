#include "runtime/cpu/allowed_symbols.h"

#include <cmath>
#include <set>
#include <string>

#include "runtime/cpu/cpu_executor.h"
#include "tests/support/catch.h"
#include "tests/support/cpu_binary.h"

using lathe::runtime::allowed_symbols;
using lathe::tests::bytes_of;
using lathe::tests::cpu_binary;

TEST_CASE("every allowed function has an address and stands in the list once") {
  std::set<std::string> names;
  for (const auto& symbol : allowed_symbols()) {
    INFO(symbol.name);
    CHECK(symbol.address != nullptr);
    CHECK(names.insert(symbol.name).second);
  }
}

TEST_CASE("built-in functions of floats reach libm and give its results") {
  const auto executor = lathe::runtime::make_cpu_executor().value();
  const auto kernel =
      executor
          ->load(cpu_binary(
              "extern \"C\" void kernel(float* const* args, long, long) {\n"
              "  float x = (*args)[0]; float* y = *args + 1;\n"
              "  y[0] = __builtin_expf(x); y[1] = __builtin_exp2f(x); y[2] = __builtin_logf(x);\n"
              "  y[3] = __builtin_log2f(x); y[4] = __builtin_powf(x, 1.7f); y[5] = __builtin_tanhf(x);\n"
              "  y[6] = __builtin_sinf(x); y[7] = __builtin_cosf(x);\n"
              "  y[8] = __builtin_ldexpf(x, (int)x);\n"
              "}\n"))
          .value();
  const float x = 3.25f;
  float values[10] = {x};
  float* const args = values;
  executor->launch(*kernel, {lathe::codegen::Grid{.x = 1}}, bytes_of(args), {}).value();
  const float expected[] = {std::exp(x),  std::exp2(x), std::log(x), std::log2(x),    std::pow(x, 1.7f),
                            std::tanh(x), std::sin(x),  std::cos(x), std::ldexp(x, 3)};
  for (std::size_t i = 0; i < std::size(expected); ++i) {
    INFO("function " << i);
    CHECK(values[i + 1] == expected[i]);
  }
}

TEST_CASE("loops that LLVM turns into block moves link") {
  const auto executor = lathe::runtime::make_cpu_executor().value();
  const auto kernel =
      executor->load(cpu_binary("struct Args { char* to; const char* from; long count; };\n"
                                "extern \"C\" void kernel(const Args* a, long, long) {\n"
                                "  __builtin_memmove(a->to, a->from, a->count);\n"
                                "  for (long i = 0; i < a->count; ++i) a->to[a->count + i] = 0;\n"
                                "}\n"));
  REQUIRE(kernel.has_value());
  struct {
    char* to;
    const char* from;
    long count;
  } args{};
  std::string to(2000, 'x');
  const std::string from(1000, 'y');
  args = {to.data(), from.data(), 1000};
  executor->launch(**kernel, {lathe::codegen::Grid{.x = 1}}, bytes_of(args), {}).value();
  CHECK(to == from + std::string(1000, '\0'));
}
