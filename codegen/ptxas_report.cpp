#include "codegen/ptxas_report.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace lathe::codegen {

namespace {

/// The number that stands before `unit`: 40 in "Used 40 registers" for " registers".
int number_before(std::string_view line, std::string_view unit) {
  const std::size_t end = line.find(unit);
  if (end == std::string_view::npos) return 0;
  std::size_t begin = end;
  while (begin > 0 && line[begin - 1] >= '0' && line[begin - 1] <= '9') --begin;
  int number = 0;
  std::from_chars(line.data() + begin, line.data() + end, number);
  return number;
}

}  // namespace

// The report, for each entry function:
//   ptxas info    : Compiling entry function 'NAME' for 'sm_90a'
//   ptxas info    : Function properties for NAME
//       0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
//   ptxas info    : Used 40 registers, used 1 barriers, 128 bytes smem
ResourceUse parse_ptxas_report(std::string_view log, std::string_view entry) {
  std::string head("Compiling entry function '");
  const std::size_t begin = log.find(head.append(entry).append("'"));
  if (begin == std::string_view::npos) return {};
  log.remove_prefix(begin + 1);
  log = log.substr(0, log.find("Compiling entry function"));
  ResourceUse use;
  while (!log.empty()) {
    const std::size_t end = log.find('\n');
    const std::string_view line = log.substr(0, end);
    log = end == std::string_view::npos ? std::string_view{} : log.substr(end + 1);
    if (line.find("bytes stack frame") != std::string_view::npos) {
      use.stack_bytes = number_before(line, " bytes stack frame");
      use.spill_store_bytes = number_before(line, " bytes spill stores");
      use.spill_load_bytes = number_before(line, " bytes spill loads");
    } else if (line.find(" registers") != std::string_view::npos) {
      use.registers = number_before(line, " registers");
      use.static_shared_bytes = number_before(line, " bytes smem");
    }
  }
  return use;
}

ResourceUse resources_of(std::string_view log, const std::vector<EntryPoint>& entries) {
  ResourceUse most;
  const auto raise = [](int& value, int other) { value = std::max(value, other); };
  for (const EntryPoint& entry : entries) {
    const ResourceUse use = parse_ptxas_report(log, entry.name);
    raise(most.registers, use.registers);
    raise(most.spill_store_bytes, use.spill_store_bytes);
    raise(most.spill_load_bytes, use.spill_load_bytes);
    raise(most.stack_bytes, use.stack_bytes);
    raise(most.static_shared_bytes, use.static_shared_bytes);
    raise(most.dynamic_shared_bytes, static_cast<int>(entry.launch.dynamic_shared_bytes));
  }
  return most;
}

std::string without_times(std::string_view log) {
  std::string kept;
  kept.reserve(log.size());
  while (!log.empty()) {
    const std::size_t length = std::min(log.find('\n'), log.size() - 1) + 1;
    const std::string_view line = log.substr(0, length);
    if (!line.starts_with("ptxas info") || line.find(": Compile time = ") == std::string_view::npos)
      kept += line;
    log.remove_prefix(length);
  }
  return kept;
}

}  // namespace lathe::codegen
