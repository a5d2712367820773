#include "runtime/base/parallelism.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <sstream>
#include <thread>

namespace lathe::base {

namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string cgroup_file(const char* name) {
  const std::string root = "/sys/fs/cgroup";
  const std::string path = parse_cgroup_path(read_file("/proc/self/cgroup"));
  std::string text = read_file(root + path + "/" + name);
  // Inside a container the path seen from the host may not exist; the root is then the container's own group.
  if (text.empty()) text = read_file(root + "/" + name);
  return text;
}

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\n' || c == '\t'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<double> parse_cpu_max(std::string_view text) {
  text = trimmed(text);
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto quota = number<std::uint64_t>(text.substr(0, space));
  const auto period = number<std::uint64_t>(trimmed(text.substr(space + 1)));
  if (!quota || !period || *period == 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

std::optional<std::uint64_t> parse_meminfo(std::string_view text, std::string_view field) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (!line.starts_with(field) || line.size() <= field.size() || line[field.size()] != ':') continue;
    line = trimmed(line.substr(field.size() + 1));
    if (!line.ends_with(" kB")) return std::nullopt;
    const auto kilobytes = number<std::uint64_t>(trimmed(line.substr(0, line.size() - 3)));
    return kilobytes ? std::optional(*kilobytes * 1024) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> parse_limit(std::string_view text) {
  return number<std::uint64_t>(trimmed(text));
}

std::string parse_cgroup_path(std::string_view text) {
  const std::size_t begin = text.starts_with("0::") ? 3 : text.find("\n0::") + 4;
  if (begin == 3 && !text.starts_with("0::")) return {};  // find() gave npos
  const std::size_t end = text.find('\n', begin);
  const std::string_view path = text.substr(begin, end == std::string_view::npos ? end : end - begin);
  return path == "/" ? std::string{} : std::string(path);
}

int usable_processors() {
  int processors = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) processors = std::max(1, CPU_COUNT(&allowed));
  if (const auto quota = parse_cpu_max(cgroup_file("cpu.max"))) {
    processors = std::clamp(static_cast<int>(std::ceil(*quota)), 1, processors);
  }
  return processors;
}

std::optional<std::uint64_t> usable_memory_bytes() {
  auto bytes = parse_meminfo(read_file("/proc/meminfo"), "MemAvailable");
  const auto limit = parse_limit(cgroup_file("memory.max"));
  const auto used = parse_limit(cgroup_file("memory.current"));
  if (limit && used) {
    const std::uint64_t left = *limit > *used ? *limit - *used : 0;
    bytes = bytes ? std::min(*bytes, left) : left;
  }
  return bytes;
}

int compile_parallelism() {
  // NVRTC with small headers peaks at 160 MB, in-process Clang at 120 MB; twice that leaves room for large
  // kernels.
  constexpr std::uint64_t kBytesPerCompile = 400'000'000;
  int threads = usable_processors();
  if (const auto bytes = usable_memory_bytes()) {
    threads = static_cast<int>(
        std::min<std::uint64_t>(static_cast<std::uint64_t>(threads), *bytes / kBytesPerCompile));
  }
  return std::max(1, threads);
}

}  // namespace lathe::base
