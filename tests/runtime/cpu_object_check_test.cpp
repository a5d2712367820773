#include "runtime/cpu/object_check.h"

#include <cstdint>
#include <random>

#include "runtime/cpu/cpu_executor.h"
#include "tests/support/catch.h"
#include "tests/support/cpu_binary.h"

using lathe::ErrorCode;
using lathe::codegen::Bytes;
using lathe::codegen::KernelBinary;
using lathe::runtime::check_object;
using lathe::runtime::undefined_symbols;
using lathe::tests::cpu_binary;
using lathe::tests::with_object;

namespace {

/// Calls, constants, a table, writable data and data without contents: every kind of section and relocation
/// that kernels have.
KernelBinary rich_binary() {
  return cpu_binary(
      "extern \"C\" float expf(float);\n"
      "static int calls = 7; static float scratch[100];\n"
      "int visible = 3;\n"
      "extern \"C\" void kernel(float* const* args, long first, long last) {\n"
      "  static const float table[] = {1, 2, 3, 4, 5, 6, 7, 8};\n"
      "  static float (*volatile function)(float) = expf;\n"
      "  calls += visible;\n"
      "  for (long i = first; i < last; ++i) {\n"
      "    scratch[i % 100] += 0.1f;\n"
      "    (*args)[i] = function(expf((*args)[i] * 2.5f)) + table[i % 8] + calls + scratch[i % 100];\n"
      "  }\n"
      "}\n");
}

const Bytes& object_of(const KernelBinary& binary) {
  return binary.payloads.front().bytes;
}

}  // namespace

TEST_CASE("what Clang writes passes") {
  CHECK(check_object(object_of(rich_binary())).has_value());
}

TEST_CASE("what an object uses and does not define is listed") {
  CHECK(undefined_symbols(object_of(rich_binary())) == std::vector<std::string>{"expf"});
  CHECK(undefined_symbols(object_of(cpu_binary("extern \"C\" int kernel() { return 1; }"))).empty());
}

TEST_CASE("an object file cut at any byte is refused") {
  const KernelBinary binary = rich_binary();
  for (std::size_t length = 0; length < object_of(binary).size(); ++length) {
    INFO(length << " bytes");
    const auto result = check_object(std::span(object_of(binary)).first(length));
    REQUIRE_FALSE(result.has_value());
    REQUIRE(result.error().code == ErrorCode::load_failed);
  }
}

TEST_CASE("foreign files are refused by what they are") {
  Bytes foreign = object_of(rich_binary());
  constexpr std::size_t kMachine = 18;
  foreign[kMachine] = std::byte{2};  // SPARC
  CHECK(check_object(foreign).error().message.find("machine 2") != std::string::npos);

  const std::string text = "#!/bin/sh\necho this is no object file, though it is longer than a header\n";
  CHECK(check_object(std::as_bytes(std::span(text))).error().code == ErrorCode::load_failed);
}

TEST_CASE("an object file that was altered anywhere loads or is refused, and never harms the process") {
  const auto executor = lathe::runtime::make_cpu_executor().value();
  const KernelBinary binary = rich_binary();
  const std::size_t size = object_of(binary).size();
  std::size_t refused = 0;
  const auto load = [&](Bytes object) {
    const auto kernel = executor->load(with_object(binary, std::move(object)));
    if (kernel) return;
    REQUIRE(kernel.error().code == ErrorCode::load_failed);
    ++refused;
  };
  SECTION("every byte inverted") {
    for (std::size_t i = 0; i < size; ++i) {
      Bytes object = object_of(binary);
      object[i] ^= std::byte{0xFF};
      load(std::move(object));
    }
  }
  SECTION("several bytes set at random") {
    std::mt19937 random(20240229);
    for (int round = 0; round < 5000; ++round) {
      Bytes object = object_of(binary);
      for (unsigned n = random() % 4 + 1; n > 0; --n) object[random() % size] = std::byte(random());
      load(std::move(object));
    }
  }
  CHECK(refused > 0);
}
