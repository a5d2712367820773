#include "runtime/binary_codec.h"

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"

using lathe::cache::Entry;
using lathe::codegen::KernelBinary;
using lathe::codegen::PayloadKind;
using lathe::runtime::from_entry;
using lathe::runtime::KernelKey;
using lathe::runtime::to_entry;

namespace {

KernelBinary binary() {
  return {
      .payloads = {{PayloadKind::cubin, {std::byte{1}, std::byte{2}}}, {PayloadKind::ptx, {std::byte{'p'}}}},
      .entries = {{"first",
                   {.block = {256, 2, 1},
                    .cluster = {4, 1, 1},
                    .dynamic_shared_bytes = 99'000,
                    .work_per_block = 8,
                    .programmatic_launch = true}},
                  {"second", {.block = {64}}}},
      .resources = {.registers = 40,
                    .spill_store_bytes = 1,
                    .spill_load_bytes = 2,
                    .stack_bytes = 3,
                    .static_shared_bytes = 4,
                    .dynamic_shared_bytes = 5},
      .log = "a warning with \xff in it",
      .compile_time = std::chrono::nanoseconds(1234567)};
}

Entry entry() {
  return to_entry(KernelKey{"key text", {}}, binary(), R"({"op":"rms_norm"})");
}

}  // namespace

TEST_CASE("a binary comes back from its entry as it was") {
  KernelBinary expected = binary();
  expected.log = "a warning with \xEF\xBF\xBD in it";  // what is not UTF-8 is replaced
  CHECK(from_entry(entry()).value() == expected);
  CHECK(entry().key_text == "key text");
  CHECK(nlohmann::json::parse(entry().metadata).at("spec").at("op") == "rms_norm");
}

TEST_CASE("an entry that is not ours is refused, whatever is missing") {
  const auto refuse = [](Entry changed) {
    const auto result = from_entry(std::move(changed));
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().stage == lathe::Stage::store);
  };
  Entry changed = entry();
  changed.metadata = "not json";
  refuse(changed);
  changed.metadata = "[]";
  refuse(changed);
  for (const char* field : {"entries", "resources", "compile_ns", "log"}) {
    INFO(field);
    auto metadata = nlohmann::json::parse(entry().metadata);
    metadata.erase(field);
    changed.metadata = metadata.dump();
    refuse(changed);
    metadata[field] = "wrong type";
    if (std::string_view(field) != "log") {
      changed.metadata = metadata.dump();
      refuse(changed);
    }
  }
  auto metadata = nlohmann::json::parse(entry().metadata);
  metadata["entries"] = nlohmann::json::array();
  changed.metadata = metadata.dump();
  refuse(changed);
  metadata = nlohmann::json::parse(entry().metadata);
  for (const char* field : {"name", "launch"}) {
    auto lacking = metadata;
    lacking["entries"][1].erase(field);
    changed.metadata = lacking.dump();
    refuse(changed);
  }
  for (const char* field : {"block", "cluster", "work_per_block"}) {
    auto idle = metadata;
    auto& value = idle["entries"][0]["launch"][field];
    (value.is_array() ? value[1] : value) = 0;
    changed.metadata = idle.dump();
    refuse(changed);
  }
  while (metadata["entries"].size() <= lathe::codegen::kMaxEntries)
    metadata["entries"].push_back(metadata["entries"][0]);
  changed.metadata = metadata.dump();
  refuse(changed);
  changed = entry();
  changed.sections.clear();
  refuse(changed);
  changed = entry();
  changed.sections = {{"sass", {std::byte{1}}}};
  refuse(changed);
}
