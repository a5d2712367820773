// The environment variables that the program itself looks at; those of the library are its own business.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace lathe::tools {

using EnvironmentLookup = std::function<std::optional<std::string>(const char* name)>;

/// This process's environment. A variable that is set but empty counts as unset.
EnvironmentLookup process_environment();

/// The directory that a Runtime would use when `given` is empty: LATHE_CACHE_DIR, else
/// $XDG_CACHE_HOME/lathe, else ~/.cache/lathe; empty when none of them is set. The program passes the
/// result to every Runtime it opens, so that commands which read the directory themselves agree with it.
std::string cache_directory(const std::string& given, const EnvironmentLookup& environment);

}  // namespace lathe::tools
