#include "tools/lathe/profile_report.h"

#include <array>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lathe::tools {

namespace {

using nlohmann::ordered_json;

std::array<std::pair<const char*, std::uint64_t>, 8> by_class(const LaunchProfile::Instructions& count) {
  return {{{"arithmetic", count.arithmetic},
           {"special_function", count.special_function},
           {"conversion", count.conversion},
           {"move", count.move},
           {"control", count.control},
           {"memory", count.memory},
           {"synchronization", count.synchronization},
           {"matrix", count.matrix}}};
}

/// "1.00": how much more than necessary.
std::string ratio(std::uint64_t actual, std::uint64_t ideal) {
  return ideal == 0 ? "-" : fmt::format("{:.2f}", static_cast<double>(actual) / static_cast<double>(ideal));
}

}  // namespace

ordered_json profile_json(const LaunchProfile& profile) {
  ordered_json instructions = ordered_json::object();
  for (const auto& [name, count] : by_class(profile.instructions)) instructions[name] = count;
  const LaunchProfile::Global& global = profile.global;
  const LaunchProfile::Shared& shared = profile.shared;
  return {{"kernel", profile.kernel},
          {"warp_instructions", profile.warp_instructions},
          {"lane_instructions", profile.lane_instructions},
          {"instructions", std::move(instructions)},
          {"global",
           {{"read_bytes", global.read_bytes},
            {"written_bytes", global.written_bytes},
            {"distinct_read_bytes", global.distinct_read_bytes},
            {"distinct_written_bytes", global.distinct_written_bytes},
            {"requests", global.requests},
            {"sectors", global.sectors},
            {"ideal_sectors", global.ideal_sectors}}},
          {"shared",
           {{"read_bytes", shared.read_bytes},
            {"written_bytes", shared.written_bytes},
            {"wavefronts", shared.wavefronts},
            {"ideal_wavefronts", shared.ideal_wavefronts}}}};
}

std::string profile_text(const LaunchProfile& profile) {
  std::string text = fmt::format("instructions    {} of warps, {} of lanes:", profile.warp_instructions,
                                 profile.lane_instructions);
  for (const auto& [name, count] : by_class(profile.instructions)) {
    if (count != 0) text += fmt::format(" {} {}", name, count);
  }
  const LaunchProfile::Global& global = profile.global;
  text += fmt::format(
      "\nglobal memory   read {} bytes ({} distinct), written {} ({} distinct); {} requests, {} sectors of "
      "32 "
      "bytes, {} x the fewest",
      global.read_bytes, global.distinct_read_bytes, global.written_bytes, global.distinct_written_bytes,
      global.requests, global.sectors, ratio(global.sectors, global.ideal_sectors));
  const LaunchProfile::Shared& shared = profile.shared;
  text += fmt::format(
      "\nshared memory   read {} bytes, written {}; {} wavefronts, {} x those without bank conflicts",
      shared.read_bytes, shared.written_bytes, shared.wavefronts,
      ratio(shared.wavefronts, shared.ideal_wavefronts));
  return text;
}

}  // namespace lathe::tools
