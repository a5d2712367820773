#include "runtime/binary_codec.h"

#include <array>
#include <chrono>
#include <limits>

#include <nlohmann/json.hpp>

#include <lathe/version.h>

namespace lathe::runtime {

namespace {

using codegen::Dim3;
using codegen::EntryPoint;
using codegen::KernelBinary;
using codegen::LaunchFacts;
using codegen::PayloadKind;
using nlohmann::json;

constexpr std::array kPayloadKinds{PayloadKind::cubin, PayloadKind::ptx, PayloadKind::object};

json to_json(const Dim3& dim) {
  return json::array({dim.x, dim.y, dim.z});
}

Dim3 dim3_from(const json& value) {
  return {value.at(0).get<unsigned>(), value.at(1).get<unsigned>(), value.at(2).get<unsigned>()};
}

json to_json(const LaunchFacts& launch) {
  return {{"block", to_json(launch.block)},
          {"cluster", to_json(launch.cluster)},
          {"dynamic_shared_bytes", launch.dynamic_shared_bytes},
          {"work_per_block", launch.work_per_block},
          {"programmatic_launch", launch.programmatic_launch}};
}

LaunchFacts launch_from(const json& value) {
  return {.block = dim3_from(value.at("block")),
          .cluster = dim3_from(value.at("cluster")),
          .dynamic_shared_bytes = value.at("dynamic_shared_bytes").get<unsigned>(),
          .work_per_block = value.at("work_per_block").get<long long>(),
          .programmatic_launch = value.at("programmatic_launch").get<bool>()};
}

json to_json(const std::vector<EntryPoint>& entries) {
  json list = json::array();
  for (const EntryPoint& entry : entries)
    list.push_back({{"name", entry.name}, {"launch", to_json(entry.launch)}});
  return list;
}

/// What launches divide by and hand to the driver.
bool is_launchable(const LaunchFacts& launch) {
  const auto has_all = [](const Dim3& dim) { return dim.x > 0 && dim.y > 0 && dim.z > 0; };
  return has_all(launch.block) && has_all(launch.cluster) && launch.work_per_block > 0;
}

std::vector<EntryPoint> entries_from(const json& list) {
  std::vector<EntryPoint> entries;
  for (const json& entry : list)
    entries.push_back({entry.at("name").get<std::string>(), launch_from(entry.at("launch"))});
  return entries;
}

json to_json(const ResourceUse& use) {
  return {{"registers", use.registers},
          {"spill_store_bytes", use.spill_store_bytes},
          {"spill_load_bytes", use.spill_load_bytes},
          {"stack_bytes", use.stack_bytes},
          {"static_shared_bytes", use.static_shared_bytes},
          {"dynamic_shared_bytes", use.dynamic_shared_bytes}};
}

ResourceUse resources_from(const json& value) {
  return {.registers = value.at("registers").get<int>(),
          .spill_store_bytes = value.at("spill_store_bytes").get<int>(),
          .spill_load_bytes = value.at("spill_load_bytes").get<int>(),
          .stack_bytes = value.at("stack_bytes").get<int>(),
          .static_shared_bytes = value.at("static_shared_bytes").get<int>(),
          .dynamic_shared_bytes = value.at("dynamic_shared_bytes").get<int>()};
}

Error foreign(const std::string& why) {
  return {.code = ErrorCode::io_failed, .stage = Stage::store, .message = "cache entry: " + why};
}

std::uint64_t unix_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(now).count()));
}

}  // namespace

cache::Entry to_entry(const KernelKey& key, const KernelBinary& binary, const std::string& spec_json) {
  const json metadata = {{"spec", json::parse(spec_json, nullptr, false)},
                         {"entries", to_json(binary.entries)},
                         {"resources", to_json(binary.resources)},
                         {"compile_ns", binary.compile_time.count()},
                         {"log", binary.log}};
  cache::Entry entry{
      .key_text = key.text,
      // A compiler may quote bytes that are not UTF-8; they must not make the entry unwritable.
      .metadata = metadata.dump(-1, ' ', false, json::error_handler_t::replace),
      .creator = "lathe " LATHE_VERSION,
      .created_unix = unix_now(),
      .sections = {}};
  for (const codegen::Payload& payload : binary.payloads) {
    entry.sections.push_back({std::string(name_of(payload.kind)), payload.bytes});
  }
  return entry;
}

Result<KernelBinary> from_entry(cache::Entry entry) {
  const json metadata = json::parse(entry.metadata, nullptr, false);
  if (!metadata.is_object()) return foreign("the metadata is not a JSON object");
  KernelBinary binary;
  try {
    binary.entries = entries_from(metadata.at("entries"));
    binary.resources = resources_from(metadata.at("resources"));
    binary.compile_time = std::chrono::nanoseconds(metadata.at("compile_ns").get<std::int64_t>());
    binary.log = metadata.at("log").get<std::string>();
  } catch (const json::exception& failure) {
    return foreign(std::string("the metadata lacks something: ") + failure.what());
  }
  if (binary.entries.empty()) return foreign("no entry point is named");
  if (binary.entries.size() > codegen::kMaxEntries) return foreign("more entry points than kernels have");
  for (const EntryPoint& entry_point : binary.entries) {
    if (!is_launchable(entry_point.launch)) return foreign("an entry point has blocks that do nothing");
  }
  for (cache::Section& section : entry.sections) {
    for (const PayloadKind kind : kPayloadKinds) {
      if (section.name == name_of(kind)) binary.payloads.push_back({kind, std::move(section.bytes)});
    }
  }
  if (binary.payloads.empty()) return foreign("no payload of a known kind");
  return binary;
}

}  // namespace lathe::runtime
