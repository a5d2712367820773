#include <lathe/c.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace {

struct ErrorDeleter {
  void operator()(lathe_error* error) const { lathe_error_free(error); }
};
using ErrorPointer = std::unique_ptr<lathe_error, ErrorDeleter>;

std::string code_of(lathe_error* error) {
  const ErrorPointer owned(error);
  return owned ? lathe_error_code(owned.get()) : "ok";
}

}  // namespace

TEST_CASE("the C interface reports what it is given wrongly") {
  lathe_runtime* runtime = nullptr;
  CHECK(code_of(lathe_open("{]", &runtime)) == "invalid argument");
  CHECK(code_of(lathe_open("{}", nullptr)) == "invalid argument");
  CHECK(code_of(lathe_get(nullptr, "{}", nullptr)) == "invalid argument");
  CHECK(code_of(lathe_launch(nullptr, nullptr, 0, nullptr)) == "invalid argument");
  CHECK(code_of(lathe_stats(nullptr, nullptr)) == "invalid argument");
  const ErrorPointer error(lathe_open(R"({"colour": 1})", &runtime));
  REQUIRE(error != nullptr);
  CHECK(std::string(lathe_error_message(error.get())) == "options: \"colour\" is not an option");
  CHECK(std::strstr(lathe_error_text(error.get()), "hint: ") != nullptr);
}

#if LATHE_WITH_LLVM
TEST_CASE("a kernel runs through the C interface") {
  const lathe::tests::TempDir cache;
  const std::string options = nlohmann::json{{"target", "cpu"}, {"cache_dir", cache.path().string()}}.dump();
  lathe_runtime* runtime = nullptr;
  REQUIRE(code_of(lathe_open(options.c_str(), &runtime)) == "ok");
  CHECK(std::string(lathe_target(runtime)).starts_with("cpu:"));

  const char* spec = R"({"op": "rms_norm", "hidden_size": 4, "dtype": "f32"})";
  lathe_kernel* kernel = nullptr;
  CHECK(code_of(lathe_get(runtime, R"({"op": "rms_norm", "hidden_size": 0})", &kernel)) == "invalid spec");
  REQUIRE(code_of(lathe_get(runtime, spec, &kernel)) == "ok");
  CHECK(std::strlen(lathe_kernel_key(kernel)) == 32);

  alignas(16) const float x[4] = {1, -2, 3, -4};
  alignas(16) const float weight[4] = {1, 1, 2, 0.5f};
  alignas(16) float y[4] = {};
  lathe_rms_norm_args args = {};
  args.x = x;
  args.weight = weight;
  args.y = y;
  args.rows = 1;
  CHECK(code_of(lathe_launch(kernel, &args, sizeof args - 1, nullptr)) == "invalid argument");
  size_t bytes = 1;
  CHECK(code_of(lathe_workspace_bytes(kernel, &args, sizeof args - 1, &bytes)) == "invalid argument");
  CHECK(code_of(lathe_workspace_bytes(kernel, &args, sizeof args, nullptr)) == "invalid argument");
  CHECK(code_of(lathe_workspace_bytes(kernel, &args, sizeof args, &bytes)) == "ok");
  CHECK(bytes == 0);
  REQUIRE(code_of(lathe_launch(kernel, &args, sizeof args, nullptr)) == "ok");
  REQUIRE(code_of(lathe_synchronize(runtime, nullptr)) == "ok");
  const double rstd = 1 / std::sqrt(30.0 / 4);
  for (int i = 0; i < 4; ++i) CHECK(std::abs(y[i] - x[i] * rstd * weight[i]) < 1e-6);

  char* json = nullptr;
  REQUIRE(code_of(lathe_stats(runtime, &json)) == "ok");
  CHECK(nlohmann::json::parse(json).at("compiles") == 1);
  lathe_text_free(json);
  REQUIRE(code_of(lathe_explain(runtime, spec, &json)) == "ok");
  CHECK(nlohmann::json::parse(json).at("found_in") == "loaded");
  lathe_text_free(json);
  CHECK(code_of(lathe_precompile(runtime, spec, "cpu:x86-64")) == "ok");
  CHECK(code_of(lathe_precompile(runtime, spec, "gpu")) == "invalid argument");
  CHECK(code_of(lathe_prefetch(runtime, spec)) == "ok");

  lathe_close(runtime);
  CHECK(code_of(lathe_launch(kernel, &args, sizeof args, nullptr)) == "ok");  // kernels outlive runtimes
  lathe_kernel_free(kernel);
}
#endif
