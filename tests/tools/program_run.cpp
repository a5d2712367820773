#include "tests/tools/program_run.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace lathe::tests {

namespace {

constexpr std::array kForgotten{"LATHE_TARGET",       "LATHE_CACHE_DIR", "LATHE_CACHE_READ_ONLY_DIRS",
                                "LATHE_DISK_CACHE",   "LATHE_MODE",      "LATHE_RECORD_FILE",
                                "LATHE_TEMPLATE_DIR", "XDG_CACHE_HOME"};

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

void redirect(const std::filesystem::path& path, int flags, int to) {
  const int file = open(path.c_str(), flags, 0644);
  if (file < 0 || dup2(file, to) < 0) _exit(126);
  close(file);
}

/// In the child: becomes the program. Does not return.
[[noreturn]] void become(const std::vector<std::string>& arguments, const RunOptions& options) {
  for (const char* name : kForgotten) unsetenv(name);
  for (const auto& [name, value] : options.environment) {
    value.empty() ? unsetenv(name.c_str()) : setenv(name.c_str(), value.c_str(), 1);
  }
  if (options.no_file_space) {
    // Writes beyond this fail with EFBIG instead of killing the process.
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  constexpr uid_t kNobody = 65534;
  if (options.as_nobody && (setgid(kNobody) != 0 || setuid(kNobody) != 0)) _exit(126);
  std::vector<std::string> texts{LATHE_PROGRAM};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  execv(pointers[0], pointers.data());
  _exit(127);
}

}  // namespace

std::vector<nlohmann::json> ProgramRun::lines() const {
  std::vector<nlohmann::json> objects;
  std::istringstream stream(out);
  for (std::string text; std::getline(stream, text);) {
    INFO("line of stdout: " << text);
    auto object = nlohmann::json::parse(text, nullptr, false);
    REQUIRE(object.is_object());
    objects.push_back(std::move(object));
  }
  return objects;
}

nlohmann::json ProgramRun::line() const {
  const auto all = lines();
  INFO("stdout: " << out << "\nstderr: " << err);
  REQUIRE(all.size() == 1);
  return all.front();
}

ProgramRun run_lathe(const std::vector<std::string>& arguments, const RunOptions& options) {
  const TempDir directory;
  const auto in = directory.path() / "in";
  std::ofstream(in) << options.input;
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    redirect(in, O_RDONLY, STDIN_FILENO);
    redirect(directory.path() / "out", O_WRONLY | O_CREAT, STDOUT_FILENO);
    redirect(directory.path() / "err", O_WRONLY | O_CREAT, STDERR_FILENO);
    become(arguments, options);
  }
  if (options.interrupt_after_ms > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(options.interrupt_after_ms));
    kill(child, SIGINT);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ProgramRun run;
  run.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  run.out = content_of(directory.path() / "out");
  run.err = content_of(directory.path() / "err");
  return run;
}

namespace {

nlohmann::json doctor() {
  const TempDir cache;
  return run_lathe({"doctor", "--json", "--cache-dir", cache.path().string()}).line();
}

}  // namespace

bool has_nvrtc() {
  return !doctor().at("nvrtc").is_null();
}

bool has_cpu() {
  const nlohmann::json report = doctor();
  for (const auto& finding : report.at("findings")) {
    if (finding.at("name") == "cpu device") return finding.at("ok").get<bool>();
  }
  return false;
}

std::string norm_json(int hidden_size, const std::string& more) {
  return R"({"op": "rms_norm", "hidden_size": )" + std::to_string(hidden_size) + more + "}";
}

}  // namespace lathe::tests
