#include "codegen/clang_target.h"

#include <algorithm>

#include "codegen/clang_compiler.h"
#include "tests/support/catch.h"

using lathe::ErrorCode;
using lathe::Target;
using lathe::codegen::clang_target_arguments;
using lathe::codegen::feature_missing_here;
using lathe::codegen::host_cpu_target;

namespace {

/// The value that follows each occurrence of an option.
std::vector<std::string> values_of(const std::vector<std::string>& arguments, std::string_view option) {
  std::vector<std::string> values;
  for (std::size_t i = 0; i + 1 < arguments.size(); ++i) {
    if (arguments[i] == option) values.push_back(arguments[i + 1]);
  }
  return values;
}

std::vector<std::string> arguments_of(const std::string& target) {
  return clang_target_arguments(Target::parse(target).value()).value();
}

lathe::Error error_of(const std::string& target) {
  const auto arguments = clang_target_arguments(Target::parse(target).value());
  REQUIRE_FALSE(arguments.has_value());
  return arguments.error();
}

using Values = std::vector<std::string>;

}  // namespace

TEST_CASE("a processor alone means all that it has") {
  const auto arguments = arguments_of("cpu:sapphirerapids");
  CHECK(values_of(arguments, "-target-cpu") == Values{"sapphirerapids"});
  CHECK(values_of(arguments, "-target-feature").empty());
}

TEST_CASE("with features the processor only tunes, and exactly those features are used") {
  const auto arguments = arguments_of("cpu:sapphirerapids+avx2+fma");
  CHECK(values_of(arguments, "-target-cpu") == Values{"x86-64"});
  CHECK(values_of(arguments, "-tune-cpu") == Values{"sapphirerapids"});
  CHECK(values_of(arguments, "-target-feature") == Values{"+avx2", "+fma"});
}

TEST_CASE("an unknown processor or feature is an error that offers the nearest") {
  const lathe::Error processor = error_of("cpu:saphirerapids");
  CHECK(processor.code == ErrorCode::unsupported);
  CHECK(processor.message.find("did you mean sapphirerapids?") != std::string::npos);
  CHECK_FALSE(processor.hint.empty());

  const lathe::Error feature = error_of("cpu:x86-64+avx512ff");
  CHECK(feature.code == ErrorCode::unsupported);
  CHECK(feature.message.find("\"avx512ff\"") != std::string::npos);
  CHECK(feature.message.find("did you mean avx512f?") != std::string::npos);

  // LLVM knows this one, Clang does not; it must not be offered as its own nearest.
  CHECK(error_of("cpu:x86-64+64bit").message.find("did you mean 64bit?") == std::string::npos);

  // A 32-bit processor is none of a 64-bit process.
  CHECK(error_of("cpu:i386").code == ErrorCode::unsupported);
  CHECK(error_of("cuda:sm_80").code == ErrorCode::unsupported);
}

TEST_CASE("the host's target is spelt out, sorted, and survives its written form") {
  const Target host = host_cpu_target();
  CHECK_FALSE(host.is_native());
  CHECK_FALSE(host.features.empty());
  CHECK(std::is_sorted(host.features.begin(), host.features.end()));
  CHECK(Target::parse(host.text()).value() == host);
  CHECK(std::none_of(host.features.begin(), host.features.end(),
                     [](const std::string& name) { return name.starts_with("avx10"); }));
  CHECK(clang_target_arguments(host).has_value());
}

TEST_CASE("the host lacks nothing of its own target, and the first thing it lacks of another is named") {
  const Target host = host_cpu_target();
  CHECK(feature_missing_here(host).value() == std::nullopt);
  CHECK(feature_missing_here(Target::parse("cpu:x86-64").value()).value() == std::nullopt);
  CHECK(feature_missing_here(Target::parse("cpu:nothing").value()).error().code == ErrorCode::unsupported);
  // AMD's, of which no other processor has anything.
  if (std::find(host.features.begin(), host.features.end(), "fma4") == host.features.end())
    CHECK(feature_missing_here(Target::parse("cpu:bdver1").value()).value().has_value());
}
