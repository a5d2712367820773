// lathe run linear_cross_entropy: a forward's arrays are those that recompute reads, and gradients are those
// of results worked out by hand.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/tools/program_run.h"
#include "tools/lathe/npy.h"

using namespace lathe;
using tests::ProgramRun;
using tools::NpyArray;

namespace {

// Two tokens, two classes: hidden {1}, {-1}, weight {0}, {1}. Logits are {0, 1} and {0, -1}; the second token
// is ignored. With p = e / (1 + e) of class 1:
//   lse = log(1 + e), h = lse - p; by the logits h changes by p (1 - p) {1, -1}
//   ce of class 0 = lse, and changes by {-p, p}
const double kP = std::exp(1.0) / (1 + std::exp(1.0));
const double kLse = std::log(1 + std::exp(1.0));

class Workbench {
 public:
  explicit Workbench(std::string target) : target_(std::move(target)) {
    make("hidden", {2, 1}, std::vector<float>{1, -1}, tools::NpyType::f4);
    make("weight", {2, 1}, std::vector<float>{0, 1}, tools::NpyType::f4);
    make("targets", {2}, std::vector<std::int32_t>{0, -100}, tools::NpyType::i4);
  }

  std::string path(const std::string& name) const { return (directory_.path() / name).string(); }

  template <class T>
  void make(const std::string& name, std::vector<std::int64_t> shape, const std::vector<T>& values,
            tools::NpyType type) const {
    NpyArray array{.type = type, .shape = std::move(shape), .bytes = {}};
    array.bytes.resize(values.size() * sizeof(T));
    std::memcpy(array.bytes.data(), values.data(), array.bytes.size());
    REQUIRE(tools::write_npy(path(name), array));
  }

  /// `inputs` are names of arguments and files, as in "lse_in=lse".
  ProgramRun run(const std::string& more, const std::vector<std::pair<std::string, std::string>>& inputs,
                 const std::vector<std::string>& outputs) const {
    const std::string dtype = target_ == "cpu" ? "f32" : "f16";
    std::vector<std::string> words{
        "run",
        R"({"op": "linear_cross_entropy", "hidden_size": 1, "vocab_size": 2, "target_dtype": "i32", "dtype": ")" +
            dtype + "\"" + more + "}",
        "--target",
        target_,
        "--cache-dir",
        path("cache")};
    const auto add = [&](const char* option, const std::string& name, const std::string& file) {
      words.emplace_back(option);
      words.push_back(name + "=" + path(file));
    };
    for (const char* name : {"hidden", "weight", "targets"}) add("--in", name, name);
    for (const auto& [name, file] : inputs) add("--in", name, file);
    for (const std::string& name : outputs) add("--out", name, name);
    return tests::run_lathe(words);
  }

  /// Checks that the array holds these values, nearly.
  void check(const std::string& name, const std::vector<double>& expected) const {
    const auto array = tools::read_npy(path(name));
    REQUIRE(array);
    std::vector<float> values(array->bytes.size() / sizeof(float));
    REQUIRE(values.size() == expected.size());
    std::memcpy(values.data(), array->bytes.data(), array->bytes.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      INFO(name << "[" << i << "] is " << values[i] << ", expected " << expected[i]);
      CHECK(std::abs(static_cast<double>(values[i]) - expected[i]) <= (target_ == "cpu" ? 1e-6 : 1e-3));
    }
  }

 private:
  std::string target_;
  tests::TempDir directory_;
};

std::vector<std::string> targets() {
  std::vector<std::string> names;
  if (tests::has_cpu()) names.emplace_back("cpu");
  if (tests::has_nvrtc()) names.emplace_back("emulate:sm_80");
  if (names.empty()) WARN("not checked: this build or machine runs no kernels");
  return names;
}

const std::string kRecompute = R"(, "mode": "recompute", "reduction": "sum", "has_entropy_gradient": true)";

}  // namespace

TEST_CASE("run gives a loss and an entropy, and from those the gradients of both") {
  for (const std::string& target : targets()) {
    INFO(target);
    const Workbench bench(target);
    const auto forward =
        bench.run(R"(, "mode": "forward_only", "reduction": "sum", "store_lse": true, "store_entropy": true)",
                  {}, {"loss", "lse", "entropy"});
    INFO(forward.err);
    REQUIRE(forward.code == 0);
    bench.check("loss", {kLse});
    bench.check("lse", {kLse, 0});
    bench.check("entropy", {kLse - kP, 0});
    bench.make("gain", {2}, std::vector<float>{-0.5f, 7}, tools::NpyType::f4);
    const auto backward =
        bench.run(kRecompute, {{"lse_in", "lse"}, {"entropy_in", "entropy"}, {"entropy_upstream", "gain"}},
                  {"d_hidden", "d_weight"});
    INFO(backward.err);
    REQUIRE(backward.code == 0);
    const double by_class_1 = kP + 0.5 * kP * (1 - kP);
    bench.check("d_hidden", {by_class_1, 0});
    bench.check("d_weight", {-by_class_1, by_class_1});
  }
}

TEST_CASE("run says which array of an entropy's gradient is missing") {
  if (!tests::has_cpu()) return;
  const Workbench bench("cpu");
  bench.make("lse", {2}, std::vector<float>{1, 1}, tools::NpyType::f4);
  const auto none = bench.run(kRecompute, {{"lse_in", "lse"}}, {"d_hidden"});
  CHECK(none.code == 1);
  CHECK(none.err.find("entropy_in") != std::string::npos);
  const auto one = bench.run(kRecompute, {{"lse_in", "lse"}, {"entropy_in", "lse"}}, {"d_hidden"});
  CHECK(one.code == 1);
  CHECK(one.err.find("entropy_upstream") != std::string::npos);
  const auto elsewhere = bench.run(R"(, "has_entropy_gradient": true)", {}, {"d_hidden"});
  CHECK(elsewhere.code != 0);
  CHECK(elsewhere.err.find("mode is gradient_in_forward") != std::string::npos);
}
