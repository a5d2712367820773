// lathe run rms_norm_backward: gradients that are read, added to and written as arrays, against results
// worked out by hand.
#include <cmath>
#include <cstring>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/tools/program_run.h"
#include "tools/lathe/npy.h"

using namespace lathe;
using tests::ProgramRun;
using tools::NpyArray;

namespace {

// Both rows of x have the mean square 25, so rstd is 0.2 and n = x / 5. The weight is (2, 1).
//   dy = (1, 3): g = (2, 3), sum(g * n) / 2 = 2.3, dx = 0.2 * (2 - 0.2 * 2.3, 3 - 1.4 * 2.3) = (0.308,
//   -0.044) dy = (1, 2): g = (2, 2), sum(g * n) / 2 = 1.2, dx = 0.2 * (2 - 1.4 * 1.2, 2 + 0.2 * 1.2) =
//   (0.064, 0.448) dw = (1 * 0.2 + 1 * 1.4, 3 * 1.4 - 2 * 0.2) = (1.6, 3.8)
const std::vector<float> kX{1, 7, 7, -1};
const std::vector<float> kDy{1, 3, 1, 2};

std::string spec(const std::string& more) {
  return R"({"op": "rms_norm_backward", "hidden_size": 2, "dtype": "f32")" + more + "}";
}

class Workbench {
 public:
  std::string path(const std::string& name) const { return (directory_.path() / name).string(); }

  void make(const std::string& name, std::vector<std::int64_t> shape,
            const std::vector<float>& values) const {
    NpyArray array{.type = tools::NpyType::f4, .shape = std::move(shape), .bytes = {}};
    array.bytes.resize(values.size() * sizeof(float));
    std::memcpy(array.bytes.data(), values.data(), array.bytes.size());
    REQUIRE(tools::write_npy(path(name), array));
  }

  ProgramRun run(const std::string& target, const std::string& more, const std::vector<std::string>& inputs,
                 const std::vector<std::string>& outputs, const std::vector<std::string>& set = {}) const {
    std::vector<std::string> words{"run", spec(more), "--target", target, "--cache-dir", path("cache")};
    const auto add = [&](const char* option, const std::string& name) {
      words.emplace_back(option);
      words.push_back(name + "=" + path(name));
    };
    for (const std::string& name : inputs) add("--in", name);
    for (const std::string& name : outputs) add("--out", name);
    for (const std::string& value : set) {
      words.emplace_back("--set");
      words.push_back(value);
    }
    return tests::run_lathe(words);
  }

  /// Whether the array holds these values, nearly.
  bool holds(const std::string& name, const std::vector<double>& expected) const {
    const auto array = tools::read_npy(path(name));
    REQUIRE(array);
    std::vector<float> values(array->bytes.size() / sizeof(float));
    REQUIRE(values.size() == expected.size());
    std::memcpy(values.data(), array->bytes.data(), array->bytes.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto value = static_cast<double>(values[i]);
      INFO(name << "[" << i << "] is " << value << ", expected " << expected[i]);
      CHECK(std::abs(value - expected[i]) <= 1e-6 * (1 + std::abs(expected[i])));
    }
    return true;
  }

 private:
  tests::TempDir directory_;
};

std::vector<std::string> targets() {
  std::vector<std::string> names;
  if (tests::has_cpu()) names.emplace_back("cpu");
  if (tests::has_nvrtc()) names.insert(names.end(), {"emulate:sm_80", "emulate:sm_90a"});
  if (names.empty()) WARN("not checked: this build or machine runs no kernels");
  return names;
}

}  // namespace

TEST_CASE("run gives the gradients of a norm") {
  for (const std::string& target : targets()) {
    INFO(target);
    const Workbench bench;
    bench.make("dy", {2, 2}, kDy);
    bench.make("x", {2, 2}, kX);
    bench.make("weight", {2}, {2, 1});
    const auto run =
        bench.run(target, R"(, "load_rstd": false)", {"dy", "x", "weight"}, {"dx", "dw"}, {"epsilon=0"});
    INFO(run.err);
    REQUIRE(run.code == 0);
    CHECK(bench.holds("dx", {0.308, -0.044, 0.064, 0.448}));
    CHECK(bench.holds("dw", {1.6, 3.8}));
  }
}

TEST_CASE("run adds to a gradient that is there, and what flows around the norm") {
  for (const std::string& target : targets()) {
    INFO(target);
    const Workbench bench;
    bench.make("dy", {2, 2}, kDy);
    bench.make("x", {2, 2}, kX);
    bench.make("weight", {2}, {2, 1});
    bench.make("rstd", {2}, {0.2f, 0.2f});
    bench.make("dresidual", {2, 2}, {10, 20, -1, 1});
    bench.make("dw", {2}, {100, 200});
    const auto run = bench.run(target, R"(, "has_dresidual": true, "accumulate_dw": true)",
                               {"dy", "x", "weight", "rstd", "dresidual", "dw"}, {"dx", "dw"});
    INFO(run.err);
    REQUIRE(run.code == 0);
    CHECK(bench.holds("dx", {10.308, 19.956, -0.936, 1.448}));
    CHECK(bench.holds("dw", {101.6, 203.8}));
  }
}

TEST_CASE("run says which gradient or input a spec has not got") {
  const Workbench bench;
  bench.make("dy", {2, 2}, kDy);
  bench.make("x", {2, 2}, kX);
  bench.make("weight", {2}, {2, 1});
  const auto no_rstd = bench.run("cpu", "", {"dy", "x", "weight"}, {"dx"});
  CHECK(no_rstd.code == 1);
  CHECK(no_rstd.err.find("rstd") != std::string::npos);
  const auto no_dw =
      bench.run("cpu", R"(, "store_dw": false, "load_rstd": false)", {"dy", "x", "weight"}, {"dw"});
  CHECK(no_dw.code == 1);
  CHECK(no_dw.err.find("dw") != std::string::npos);
  const auto nothing = bench.run("cpu", R"(, "store_dw": false, "store_dx": false)", {"dy", "x"}, {});
  CHECK(nothing.code == 1);
  CHECK(nothing.err.find("store_dx and store_dw are false") != std::string::npos);
}
