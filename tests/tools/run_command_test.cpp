// lathe run, against RMSNorm in double precision worked out here.
#include <cmath>
#include <cstring>
#include <random>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/tools/program_run.h"
#include "tools/lathe/npy.h"

using namespace lathe;
using tests::norm_json;
using tests::ProgramRun;
using tests::RunOptions;
using tools::NpyArray;
using tools::NpyType;

namespace {

std::vector<float> values_of(const NpyArray& array) {
  REQUIRE(array.type == NpyType::f4);
  std::vector<float> values(array.bytes.size() / sizeof(float));
  std::memcpy(values.data(), array.bytes.data(), array.bytes.size());
  return values;
}

/// A directory with arrays, and commands that use them.
class Workbench {
 public:
  std::string path(const std::string& name) const { return (directory_.path() / name).string(); }

  /// Random values that bf16 holds exactly, so that no rounding on load stands between us and the reference.
  std::vector<float> make(const std::string& name, std::vector<std::int64_t> shape) {
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) count *= extent;
    std::vector<float> values;
    std::uniform_int_distribution<int> eighths(-31, 31);
    for (std::int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(eighths(random_)) / 8);
    NpyArray array{.type = NpyType::f4, .shape = std::move(shape), .bytes = {}};
    array.bytes.resize(values.size() * sizeof(float));
    std::memcpy(array.bytes.data(), values.data(), array.bytes.size());
    REQUIRE(tools::write_npy(path(name + ".npy"), array));
    return values;
  }

  ProgramRun run(const std::string& spec, std::vector<std::string> more,
                 const RunOptions& options = {}) const {
    std::vector<std::string> arguments{"run", spec, "--target", "cpu", "--cache-dir", path("cache")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return tests::run_lathe(arguments, options);
  }

  NpyArray read(const std::string& name) const {
    auto array = tools::read_npy(path(name));
    REQUIRE(array);
    return *std::move(array);
  }

 private:
  tests::TempDir directory_;
  std::mt19937 random_{7};
};

/// The largest relative error of the rows of y, each row normalised on its own.
double error_of(const std::vector<float>& y, const std::vector<double>& sum, const std::vector<float>& weight,
                double epsilon) {
  const std::size_t hidden = weight.size();
  REQUIRE(y.size() == sum.size());
  double worst = 0;
  for (std::size_t row = 0; row < sum.size(); row += hidden) {
    double squares = 0;
    for (std::size_t i = 0; i < hidden; ++i) squares += sum[row + i] * sum[row + i];
    const double rstd = 1 / std::sqrt(squares / static_cast<double>(hidden) + epsilon);
    for (std::size_t i = 0; i < hidden; ++i) {
      const double exact = sum[row + i] * rstd * static_cast<double>(weight[i]);
      const double error = std::fabs(static_cast<double>(y[row + i]) - exact);
      worst = std::max(worst, std::isnan(error) ? 1e30 : error / std::max(std::fabs(exact), 1e-6));
    }
  }
  return worst;
}

bool skipped() {
  if (tests::has_cpu()) return false;
  WARN("not checked: this build or machine runs no CPU kernels");
  return true;
}

}  // namespace

TEST_CASE("run gives the double-precision answer, rounded to the dtype") {
  if (skipped()) return;
  struct Case {
    const char* dtype;
    double limit;
  };
  const Case given = GENERATE(Case{"f32", 4e-6}, Case{"f16", 0x1.04p-11}, Case{"bf16", 0x1.04p-8});
  const int hidden = GENERATE(1, 17, 512);
  Workbench bench;
  const auto x = bench.make("x", {9, hidden});
  const auto weight = bench.make("w", {hidden});
  const auto run = bench.run(norm_json(hidden, std::string(R"(, "dtype": ")") + given.dtype + "\""),
                             {"--in", "x=" + bench.path("x.npy"), "--in", "weight=" + bench.path("w.npy"),
                              "--set", "epsilon=1e-3", "--out", "y=" + bench.path("y.npy"), "--json"});
  INFO(run.err);
  REQUIRE(run.code == 0);
  const NpyArray y = bench.read("y.npy");
  CHECK(y.shape == std::vector<std::int64_t>{9, hidden});
  // epsilon reaches the kernel as a float.
  CHECK(error_of(values_of(y), {x.begin(), x.end()}, weight, static_cast<double>(1e-3f)) <= given.limit);
  CHECK(run.line().at("outputs").at("y").at("dtype") == "float32");
}

TEST_CASE("run handles heads, strides, the residual and rstd") {
  if (skipped()) return;
  Workbench bench;
  const auto x = bench.make("x", {4, 3, 64});
  const auto residual = bench.make("r", {4, 3, 64});
  const auto weight = bench.make("w", {64});
  const auto run = bench.run(
      norm_json(64, R"(, "dtype": "f32", "heads": 3, "residual": "round_then_norm", "store_rstd": true)"),
      {"--in",  "x=" + bench.path("x.npy"),
       "--in",  "weight=" + bench.path("w.npy"),
       "--in",  "residual_in=" + bench.path("r.npy"),
       "--set", "x_row_stride=1000",
       "--set", "x_head_stride=200",
       "--set", "y_head_stride=512",
       "--set", "y_row_stride=64",
       "--out", "y=" + bench.path("y.npy"),
       "--out", "residual_out=" + bench.path("s.npy"),
       "--out", "rstd=" + bench.path("rstd.npy")});
  INFO(run.err);
  REQUIRE(run.code == 0);
  std::vector<double> sum;
  for (std::size_t i = 0; i < x.size(); ++i)
    sum.push_back(static_cast<double>(x[i]) + static_cast<double>(residual[i]));
  CHECK(error_of(values_of(bench.read("y.npy")), sum, weight, 1e-6) <= 4e-6);
  const auto stored = values_of(bench.read("s.npy"));
  CHECK(std::equal(stored.begin(), stored.end(), sum.begin(), sum.end()));
  CHECK(bench.read("rstd.npy").shape == std::vector<std::int64_t>{4, 3});
}

TEST_CASE("run times repeated launches, and says so on one line of stdout") {
  if (skipped()) return;
  Workbench bench;
  bench.make("x", {2, 8});
  bench.make("w", {8});
  const auto run = bench.run(norm_json(8), {"--in", "x=" + bench.path("x.npy"), "--in",
                                            "weight=" + bench.path("w.npy"), "--repeat", "5"});
  CHECK(run.code == 0);
  CHECK(run.out.find("of 5 launches") != std::string::npos);
  CHECK(std::count(run.out.begin(), run.out.end(), '\n') == 1);
  CHECK(run.err.empty());
}

TEST_CASE("A dry run checks everything and writes nothing") {
  if (skipped()) return;
  Workbench bench;
  bench.make("x", {2, 8});
  bench.make("w", {8});
  const auto run =
      bench.run(norm_json(8), {"--in", "x=" + bench.path("x.npy"), "--in", "weight=" + bench.path("w.npy"),
                               "--out", "y=" + bench.path("y.npy"), "--dry-run"});
  CHECK(run.code == 0);
  CHECK_FALSE(std::filesystem::exists(bench.path("y.npy")));
  CHECK_FALSE(std::filesystem::exists(bench.path("cache")));
}

TEST_CASE("Wrong specs are wrong usage, told with field, value and what is allowed") {
  struct Case {
    std::string spec;
    std::string message;
  };
  const Case given = GENERATE(Case{norm_json(0), "hidden_size is 0, allowed are 1 to 262144"},
                              Case{norm_json(-5), "hidden_size is -5, allowed are 1 to 262144"},
                              Case{norm_json(1000000), "hidden_size is 1000000, allowed are 1 to 262144"},
                              Case{norm_json(8, R"(, "dtype": "bf61")"), "dtype is \"bf61\""},
                              Case{norm_json(8, R"(, "dtype": "i32")"), "dtype is i32, allowed are f32, f16"},
                              Case{norm_json(8, R"(, "hiden": 1)"), "has no field \"hiden\""},
                              Case{R"({"op": "rms_nrm"})", "did you mean rms_norm?"},
                              Case{R"({"hidden_size": 8})", "\"op\" is missing"}, Case{"{", "not JSON"},
                              Case{"/nonexistent", "cannot read /nonexistent"});
  Workbench bench;
  const auto run = bench.run(given.spec, {});
  INFO(run.err);
  CHECK(run.code == 1);
  CHECK(run.out.empty());
  CHECK(run.err.find(given.message) != std::string::npos);
}

TEST_CASE("Arrays and names that do not fit are wrong usage") {
  Workbench bench;
  bench.make("x", {2, 9});
  bench.make("w", {8});
  const std::string in_x = "x=" + bench.path("x.npy");
  const std::string in_w = "weight=" + bench.path("w.npy");
  const auto shape = bench.run(norm_json(8), {"--in", in_x, "--in", in_w});
  CHECK(shape.code == 1);
  CHECK(shape.err.find("x: expected shape [rows, 8], found [2, 9]") != std::string::npos);
  for (const std::vector<std::string>& more : {std::vector<std::string>{"--in", in_x},
                                               {"--in", "x"},
                                               {"--in", in_x, "--in", in_x, "--in", in_w},
                                               {"--in", in_x, "--in", in_w, "--out", "z=z.npy"},
                                               {"--in", in_x, "--in", in_w, "--set", "eps=1"},
                                               {"--in", "x=/nonexistent.npy", "--in", in_w}}) {
    const auto run = bench.run(norm_json(9), more);
    CHECK(run.code == 1);
    CHECK(run.out.empty());
  }
}

TEST_CASE("the emulator runs the GPU's kernel, and counts what it does") {
  if (!tests::has_nvrtc()) {
    WARN("skipped: there is no NVRTC here to compile the kernel");
    return;
  }
  Workbench bench;
  const auto x = bench.make("x", {3, 256});
  const auto weight = bench.make("w", {256});
  std::vector<std::string> arguments{"run",         norm_json(256),
                                     "--target",    "emulate:sm_80",
                                     "--cache-dir", bench.path("cache"),
                                     "--in",        "x=" + bench.path("x.npy"),
                                     "--in",        "weight=" + bench.path("w.npy"),
                                     "--set",       "epsilon=1e-3",
                                     "--out",       "y=" + bench.path("y.npy"),
                                     "--check",     "values",
                                     "--seed",      "3",
                                     "--profile",   "--json"};
  const auto run = tests::run_lathe(arguments);
  INFO(run.err);
  REQUIRE(run.code == 0);
  CHECK(error_of(values_of(bench.read("y.npy")), {x.begin(), x.end()}, weight, static_cast<double>(1e-3f)) <=
        0x1.04p-8);
  const auto profile = run.line().at("profile");
  CHECK(profile.at("global").at("written_bytes") == 3 * 256 * 2);
  CHECK(profile.at("global").at("distinct_read_bytes") == 4 * 256 * 2);
  CHECK(profile.at("global").at("sectors") == profile.at("global").at("ideal_sectors"));
  CHECK(profile.at("warp_instructions") > 0);
  arguments.pop_back();
  const auto told = tests::run_lathe(arguments);
  CHECK(told.out.find("global memory   read ") != std::string::npos);
}

TEST_CASE("what is for the emulator is refused elsewhere") {
  Workbench bench;
  bench.make("x", {2, 8});
  const auto run =
      bench.run(norm_json(8, R"(, "has_weight": false)"), {"--in", "x=" + bench.path("x.npy"), "--profile"});
  CHECK(run.code == 1);
  CHECK(run.err.find("--check, --seed and --profile are for the emulator") != std::string::npos);
  CHECK(bench.run(norm_json(8), {"--in", "x=" + bench.path("x.npy"), "--check", "all"}).code == 1);
}

TEST_CASE("A target that this machine lacks ends with status 5, one that does not exist with 1") {
  Workbench bench;
  bench.make("x", {2, 8});
  bench.make("w", {8});
  const auto on = [&](const std::string& target) {
    return tests::run_lathe({"run", norm_json(8), "--target", target, "--cache-dir", bench.path("cache"),
                             "--in", "x=" + bench.path("x.npy"), "--in", "weight=" + bench.path("w.npy")});
  };
  const auto lacking = on("cuda:sm_80a");  // no GPU has that
  CHECK(lacking.code == 5);
  CHECK(lacking.err.find("error: ") == 0);
  const auto unknown = on("gpu");
  CHECK(unknown.code == 1);
  CHECK(unknown.err.find("\"gpu\"") != std::string::npos);
}
