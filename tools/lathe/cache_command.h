// What the `lathe cache` commands share.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <lathe/error.h>

#include "cache/disk_store.h"
#include "tools/lathe/invocation.h"

namespace lathe::tools {

/// The cache directory, to be looked at only; a directory that does not exist is empty. Errors: io_failed,
/// stage store.
Result<std::unique_ptr<cache::DiskStore>> open_cache(const Invocation& invocation);

/// The value of a line "label: value" of a key text, or empty.
std::string key_line(std::string_view key_text, std::string_view label);

/// The key of an entry's file: the directory's and the file's name together.
std::string key_of(const std::filesystem::path& path);

/// The sound entry whose key begins with the digits given. Errors: invalid_argument when there is none, or
/// several, or what is given is no hexadecimal number.
Result<cache::Entry> find_entry(cache::DiskStore& store, const std::string& prefix);

void add_cache_stats(CLI::App& app, Action& selected);
void add_cache_ls(CLI::App& app, Action& selected);
void add_cache_show(CLI::App& app, Action& selected);
void add_cache_extract(CLI::App& app, Action& selected);
void add_cache_verify(CLI::App& app, Action& selected);
void add_cache_explain(CLI::App& app, Action& selected);

}  // namespace lathe::tools
