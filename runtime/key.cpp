#include "runtime/key.h"

#include <fmt/format.h>

#include "codegen/canonical.h"

namespace lathe::runtime {

namespace {

/// Lengths before texts, so that no two lists of headers run together.
cache::Digest digest_of_headers(const std::vector<codegen::SourceFile>& headers) {
  std::size_t bytes = 0;
  for (const codegen::SourceFile& header : headers) bytes += header.name.size() + header.text.size() + 48;
  std::string all;
  all.reserve(bytes);
  for (const codegen::SourceFile& header : headers) {
    fmt::format_to(std::back_inserter(all), "{} {} {}\n", header.name, header.text.size(), header.text);
  }
  return cache::digest_of(all);
}

std::string text_of(const codegen::LaunchFacts& launch) {
  return fmt::format("block={},{},{} cluster={},{},{} shared={} work={} programmatic={:d}", launch.block.x,
                     launch.block.y, launch.block.z, launch.cluster.x, launch.cluster.y, launch.cluster.z,
                     launch.dynamic_shared_bytes, launch.work_per_block, launch.programmatic_launch);
}

std::string text_of(const std::vector<codegen::EntryPoint>& entries) {
  std::string text;
  for (const codegen::EntryPoint& entry : entries) {
    if (!text.empty()) text += "; ";
    text += entry.name + ' ' + text_of(entry.launch);
  }
  return text;
}

/// Calls `visit(label, value)` for each line after the first.
template <class Visit>
void for_each_line(std::string_view text, Visit visit) {
  std::size_t begin = text.find('\n');
  while (begin != std::string_view::npos && begin + 1 < text.size()) {
    const std::size_t end = text.find('\n', begin + 1);
    const std::string_view line =
        text.substr(begin + 1, end == std::string_view::npos ? end : end - begin - 1);
    const std::size_t colon = line.find(": ");
    if (colon != std::string_view::npos) visit(line.substr(0, colon), line.substr(colon + 2));
    begin = end;
  }
}

}  // namespace

KernelKey make_key(const KernelSpec& spec, const Target& target, const codegen::KernelSource& source,
                   std::string_view compiler_identity) {
  std::string text = fmt::format(
      "lathe-key 1\n"
      "spec: {}\n"
      "target: {}\n"
      "compiler: {}\n"
      "source: {}\n"
      "headers: {}\n"
      "launch: {}\n",
      codegen::canonical_text(spec), target.text(), compiler_identity, cache::digest_of(source.text).hex(),
      digest_of_headers(source.headers).hex(), text_of(source.entries));
  const cache::Digest digest = cache::digest_of(text);
  return {std::move(text), digest};
}

std::vector<std::pair<std::string, std::string>> key_fields(std::string_view key_text) {
  std::vector<std::pair<std::string, std::string>> fields;
  for_each_line(key_text, [&](std::string_view label, std::string_view value) {
    if (label != "spec") {
      fields.emplace_back(label, value);
      return;
    }
    const std::size_t op_end = value.find(' ');
    fields.emplace_back("op", value.substr(0, op_end));
    while (!value.empty()) {
      const std::size_t space = value.find(' ');
      const std::string_view word = value.substr(0, space);
      const std::size_t equals = word.find('=');
      if (equals != std::string_view::npos) {
        fields.emplace_back(fmt::format("spec.{}", word.substr(0, equals)), word.substr(equals + 1));
      }
      value = space == std::string_view::npos ? std::string_view{} : value.substr(space + 1);
    }
  });
  return fields;
}

std::string key_field(std::string_view key_text, std::string_view wanted) {
  std::string found;
  for_each_line(key_text, [&](std::string_view label, std::string_view value) {
    if (label == wanted) found = value;
  });
  return found;
}

}  // namespace lathe::runtime
