// Runs the built program as a user would, and takes what it says apart.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace lathe::tests {

struct ProgramRun {
  int code = -1;  ///< exit status; 128 + signal if a signal ended it
  std::string out;
  std::string err;

  /// The JSON objects among the lines of `out`; a line that is none fails the test.
  std::vector<nlohmann::json> lines() const;
  /// The only line.
  nlohmann::json line() const;
};

struct RunOptions {
  std::map<std::string, std::string> environment{};  ///< set on top of this process's; "" removes
  std::string input{};                               ///< standard input
  bool no_file_space = false;                        ///< files cannot grow: a full disk
  bool as_nobody = false;                            ///< REQUIRES: this process is root
  int interrupt_after_ms = 0;                        ///< then SIGINT, if not 0
};

/// Runs `lathe` with these arguments. LATHE_* and XDG_CACHE_HOME of this process are not passed on, except
/// LATHE_NVRTC.
ProgramRun run_lathe(const std::vector<std::string>& arguments, const RunOptions& options = {});

/// What `lathe doctor` says this machine has.
bool has_nvrtc();
bool has_cpu();

/// A spec in JSON.
std::string norm_json(int hidden_size, const std::string& more = "");

}  // namespace lathe::tests
