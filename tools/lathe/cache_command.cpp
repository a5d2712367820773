#include "tools/lathe/cache_command.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "runtime/base/try.h"

namespace lathe::tools {

namespace {

Error bad_key(std::string message) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::api,
          .message = std::move(message),
          .hint = "lathe cache ls lists the keys; their first digits are enough"};
}

}  // namespace

Result<std::unique_ptr<cache::DiskStore>> open_cache(const Invocation& invocation) {
  const std::string directory = invocation.cache_dir();
  if (directory.empty()) {
    return Error{
        .code = ErrorCode::io_failed,
        .stage = Stage::store,
        .message = "there is no cache directory: neither LATHE_CACHE_DIR, XDG_CACHE_HOME nor HOME is set",
        .hint = "name one with --cache-dir"};
  }
  return cache::DiskStore::open({.root = directory, .read_only = true});
}

std::string key_line(std::string_view key_text, std::string_view label) {
  const std::string wanted = fmt::format("{}: ", label);
  while (!key_text.empty()) {
    const std::size_t end = key_text.find('\n');
    const std::string_view line = key_text.substr(0, end);
    if (line.starts_with(wanted)) return std::string(line.substr(wanted.size()));
    key_text = end == std::string_view::npos ? std::string_view{} : key_text.substr(end + 1);
  }
  return {};
}

std::string key_of(const std::filesystem::path& path) {
  return path.parent_path().filename().string() + path.stem().string();
}

Result<cache::Entry> find_entry(cache::DiskStore& store, const std::string& prefix) {
  const bool is_key = !prefix.empty() && prefix.size() <= 32 &&
                      prefix.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!is_key)
    return bad_key(fmt::format("\"{}\" is not a key: expected up to 32 hexadecimal digits", prefix));
  std::vector<std::string> found;
  std::string key_text;
  LATHE_CHECK(store.list([&](const cache::EntryFile& file) {
    const std::string key = key_of(file.path);
    if (!key.starts_with(prefix)) return;
    found.push_back(key);
    if (file.head) key_text = file.head->key_text;
  }));
  if (found.empty()) return bad_key(fmt::format("no entry in {} has the key {}", store.describe(), prefix));
  if (found.size() > 1)
    return bad_key(fmt::format("{} entries have keys that begin with {}", found.size(), prefix));
  const auto digest = cache::Digest::from_hex(found.front());
  if (!digest) return bad_key(fmt::format("{} is not the name of an entry", found.front()));
  LATHE_TRY(std::optional<cache::Entry> entry, store.get(*digest, key_text));
  if (!entry) {
    return Error{.code = ErrorCode::frozen_miss,  // something is damaged: ExitCode::incomplete
                 .stage = Stage::store,
                 .message = fmt::format("the entry {} is damaged", found.front()),
                 .hint = "lathe cache verify says how; it is replaced when its kernel is next asked for"};
  }
  return *std::move(entry);
}

void add_cache(CLI::App& app, Action& selected) {
  CLI::App* command = app.add_subcommand("cache", "Look into the cache directory");
  command->require_subcommand(0, 1);
  add_cache_stats(*command, selected);
  add_cache_ls(*command, selected);
  add_cache_show(*command, selected);
  add_cache_extract(*command, selected);
  add_cache_verify(*command, selected);
  add_cache_explain(*command, selected);
}

}  // namespace lathe::tools
