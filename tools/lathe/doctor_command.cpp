// lathe doctor: what this machine has, what it lacks, and what to do about it.
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <lathe/version.h>

#include "cache/disk_store.h"
#include "tools/lathe/gpu_compiler.h"
#include "tools/lathe/invocation.h"
#include "tools/lathe/table.h"
#if LATHE_WITH_LLVM
#include "codegen/clang_compiler.h"
#endif

namespace lathe::tools {

namespace {

using nlohmann::ordered_json;

/// One line of the report.
struct Finding {
  std::string name;
  bool is_good = false;
  std::string text;
  std::string hint{};
};

Finding failure(std::string name, const Error& error) {
  return {.name = std::move(name), .is_good = false, .text = error.message, .hint = error.hint};
}

Finding find_device(const Invocation& invocation, Backend backend) {
  const std::string name(name_of(backend));
  Options options = invocation.options();
  options.target = Target{.backend = backend};
  options.disk_cache = false;  // the directory has lines of its own
  const auto runtime = Runtime::open(std::move(options));
  if (!runtime) return failure(name + " device", runtime.error());
  const DeviceInfo device = runtime->device();
  std::string text =
      fmt::format("{}, {} {}, {}", device.name, device.processors,
                  backend == Backend::cuda ? "multiprocessors" : "threads",
                  invocation.verbose() ? runtime->target().text() : short_target(runtime->target().text()));
  if (!device.driver.empty()) text += fmt::format(", driver {}", device.driver);
  return {.name = name + " device", .is_good = true, .text = std::move(text)};
}

Finding find_clang() {
#if LATHE_WITH_LLVM
  const std::string identity = codegen::make_clang_compiler()->identity();  // version, then options
  return {.name = "clang", .is_good = true, .text = identity.substr(0, identity.find(" -"))};
#else
  return {.name = "clang",
          .is_good = false,
          .text = "this build of Lathe has no Clang: it cannot compile for the CPU",
          .hint = "build with LATHE_WITH_LLVM=ON"};
#endif
}

struct CacheReport {
  std::vector<Finding> findings;
  bool is_usable = false;
};

/// Whether entries and locks can be made: tried, since permissions alone do not say (read-only mounts,
/// quotas).
Finding try_writing(const std::string& root) {
  const auto store = cache::DiskStore::open({.root = root});
  if (!store) return failure("cache writable", store.error());
  const cache::Entry probe{.key_text = fmt::format("lathe doctor {}", getpid()),
                           .metadata = "{}",
                           .creator = "lathe " LATHE_VERSION,
                           .sections = {}};
  const cache::Digest digest = cache::digest_of(probe.key_text);
  const auto put = (*store)->put(probe);
  if (!put) return failure("cache writable", put.error());
  const auto lock = (*store)->lock(digest, std::chrono::milliseconds(100));
  const auto removed = (*store)->remove(digest);
  std::error_code ignored;
  std::filesystem::remove((*store)->directory().lock_path(digest),
                          ignored);  // ours alone: nobody waits for it
  if (!lock) return failure("cache locks", lock.error());
  if (!removed) return failure("cache writable", removed.error());
  return {.name = "cache writable", .is_good = true, .text = "entries and locks work"};
}

CacheReport look_at_cache(const Invocation& invocation) {
  CacheReport report;
  const std::string root = invocation.cache_dir();
  if (root.empty()) {
    report.findings.push_back(
        {.name = "cache",
         .is_good = false,
         .text = "no directory: neither LATHE_CACHE_DIR, XDG_CACHE_HOME nor HOME is set",
         .hint = "set LATHE_CACHE_DIR"});
    return report;
  }
  struct stat status{};
  const bool exists = stat(root.c_str(), &status) == 0;
  const std::string state = exists
                                ? fmt::format("owner {}, mode {:o}", status.st_uid, status.st_mode & 07777u)
                                : "does not exist yet";
  report.findings.push_back({.name = "cache", .is_good = true, .text = fmt::format("{}: {}", root, state)});
  Finding written = try_writing(root);
  report.is_usable = written.is_good;
  report.findings.push_back(std::move(written));
  struct statvfs space{};
  if (statvfs(root.c_str(), &space) == 0) {
    const unsigned long long free_bytes = static_cast<unsigned long long>(space.f_bavail) * space.f_frsize;
    constexpr unsigned long long kLittle = 64ull << 20;
    report.findings.push_back({.name = "cache space",
                               .is_good = free_bytes >= kLittle,
                               .text = format_bytes(free_bytes) + " free",
                               .hint = free_bytes >= kLittle ? "" : "make room, or set LATHE_CACHE_DIR"});
  }
  return report;
}

void print_findings(const Invocation& invocation, const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    invocation.console().print(
        fmt::format("{:<8} {:<15} {}", finding.is_good ? "ok" : "missing", finding.name, finding.text));
    if (!finding.hint.empty()) invocation.console().print(fmt::format("{:<24} -> {}", "", finding.hint));
  }
}

ordered_json as_json(const std::vector<Finding>& findings) {
  ordered_json list = ordered_json::array();
  for (const Finding& finding : findings) {
    list.push_back(
        {{"name", finding.name}, {"ok", finding.is_good}, {"text", finding.text}, {"hint", finding.hint}});
  }
  return list;
}

Result<ExitCode> run_doctor(const Invocation& invocation) {
  const std::string build =
      fmt::format("CUDA {}, LLVM {}", LATHE_WITH_CUDA ? "on" : "off", LATHE_WITH_LLVM ? "on" : "off");
  std::vector<Finding> findings{
      {.name = "lathe", .is_good = true, .text = fmt::format("{}, built with {}", LATHE_VERSION, build)}};
  const Finding gpu = find_device(invocation, Backend::cuda);
  const Finding cpu = find_device(invocation, Backend::cpu);
  findings.push_back(gpu);
  const auto nvrtc = find_nvrtc(invocation.environment());
  if (nvrtc) {
    findings.push_back(
        {.name = "nvrtc",
         .is_good = true,
         .text = fmt::format("{} at {}; {}", nvrtc->version, nvrtc->path, fmt::join(nvrtc->archs, " "))});
  } else {
    findings.push_back(failure("nvrtc", nvrtc.error()));
  }
  findings.push_back(cpu);
  const Finding clang = find_clang();
  findings.push_back(clang);
  CacheReport cache = look_at_cache(invocation);
  findings.insert(findings.end(), cache.findings.begin(), cache.findings.end());

  const bool can_run = (gpu.is_good && nvrtc) || (cpu.is_good && clang.is_good);
  if (invocation.json()) {
    ordered_json report{{"version", 1},
                        {"lathe", LATHE_VERSION},
                        {"with_cuda", LATHE_WITH_CUDA != 0},
                        {"with_llvm", LATHE_WITH_LLVM != 0},
                        {"can_run", can_run},
                        {"cache_dir", invocation.cache_dir()},
                        {"cache_usable", cache.is_usable}};
    report["nvrtc"] =
        nvrtc ? ordered_json{{"version", nvrtc->version}, {"path", nvrtc->path}, {"archs", nvrtc->archs}}
              : ordered_json(nullptr);
    report["findings"] = as_json(findings);
    invocation.print_json(report);
  } else {
    print_findings(invocation, findings);
    invocation.console().print(can_run ? "kernels can be compiled and run here"
                                       : "no kernel can be compiled and run here");
  }
  if (!can_run) return ExitCode::toolchain;
  return cache.is_usable ? ExitCode::ok : ExitCode::cache;
}

}  // namespace

void add_doctor(CLI::App& app, Action& selected) {
  app.add_subcommand("doctor", "Say what this machine has and lacks")->callback([&selected] {
    selected = run_doctor;
  });
}

}  // namespace lathe::tools
