// How many compiles make sense at once on this machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lathe::base {

/// Processors that this process may use: its affinity mask, cut by the cgroup's CPU quota. At least 1.
int usable_processors();

/// Bytes that this process may still take: free memory, cut by the cgroup's limit. Empty when it cannot be
/// told.
std::optional<std::uint64_t> usable_memory_bytes();

/// usable_processors(), cut so that each compile has 400 MB. At least 1.
int compile_parallelism();

// The parsing behind these, on the text of the kernel's files.

/// cgroup v2 cpu.max: "200000 100000" is 2 processors, "max 100000" none given.
std::optional<double> parse_cpu_max(std::string_view text);
/// A field of /proc/meminfo, in bytes.
std::optional<std::uint64_t> parse_meminfo(std::string_view text, std::string_view field);
/// cgroup files of one number; "max" is empty.
std::optional<std::uint64_t> parse_limit(std::string_view text);
/// The path of the unified hierarchy in /proc/self/cgroup: the line "0::/path".
std::string parse_cgroup_path(std::string_view text);

}  // namespace lathe::base
