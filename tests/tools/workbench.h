// Workbench: a directory with arrays, and runs of `lathe run` on them.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/tools/program_run.h"
#include "tools/lathe/npy.h"

namespace lathe::tests {

class Workbench {
 public:
  std::string path(const std::string& name) const { return (directory_.path() / name).string(); }

  template <class T>
  void write(const std::string& name, tools::NpyType type, std::vector<std::int64_t> shape,
             const std::vector<T>& values) {
    tools::NpyArray array{.type = type, .shape = std::move(shape), .bytes = {}};
    array.bytes.resize(values.size() * sizeof(T));
    std::memcpy(array.bytes.data(), values.data(), array.bytes.size());
    REQUIRE(tools::write_npy(path(name + ".npy"), array));
  }

  template <class T>
  std::vector<T> read(const std::string& name) const {
    const auto array = tools::read_npy(path(name + ".npy")).value();
    std::vector<T> values(array.bytes.size() / sizeof(T));
    std::memcpy(values.data(), array.bytes.data(), array.bytes.size());
    return values;
  }

  /// {"--in", "x=DIRECTORY/x.npy", ...}
  std::vector<std::string> inputs(const std::vector<std::string>& names) const {
    std::vector<std::string> options;
    for (const std::string& name : names) {
      options.emplace_back("--in");
      options.push_back(name + "=" + path(name + ".npy"));
    }
    return options;
  }

  ProgramRun run(const std::string& spec, const std::vector<std::string>& more) const {
    std::vector<std::string> arguments{"run", spec, "--target", "cpu", "--cache-dir", path("cache")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_lathe(arguments);
  }

 private:
  TempDir directory_;
};

}  // namespace lathe::tests
