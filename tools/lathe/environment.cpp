#include "tools/lathe/environment.h"

#include <cstdlib>

namespace lathe::tools {

EnvironmentLookup process_environment() {
  return [](const char* name) -> std::optional<std::string> {
    const char* value = secure_getenv(name);
    if (value == nullptr || *value == '\0') return std::nullopt;
    return std::string(value);
  };
}

std::string cache_directory(const std::string& given, const EnvironmentLookup& environment) {
  if (!given.empty()) return given;
  if (const auto own = environment("LATHE_CACHE_DIR")) return *own;
  // The XDG specification says to ignore relative paths.
  if (const auto xdg = environment("XDG_CACHE_HOME"); xdg && xdg->front() == '/') return *xdg + "/lathe";
  if (const auto home = environment("HOME"); home && home->front() == '/') return *home + "/.cache/lathe";
  return {};
}

}  // namespace lathe::tools
