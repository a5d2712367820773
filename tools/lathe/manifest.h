// Manifests: sets of specs, for precompile and warm.
//
// Either one JSON object, which `lathe plan` writes:
//   {"version": 1, "specs": [{"op": ...}, ...], "targets": ["cuda:sm_90a", ...]}
// where targets may be left out and the members "model", "uses" and "notes" are for people; or JSON lines,
// which Mode::record writes, each a spec or {"spec": {...}, "target": "cuda:sm_90a"}.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <lathe/error.h>
#include <lathe/specs.h>
#include <lathe/target.h>

namespace lathe::tools {

inline constexpr int kManifestVersion = 1;

struct ManifestItem {
  KernelSpec spec;                 ///< checked, defaults resolved
  std::optional<Target> target{};  ///< of a line of a trace
};

struct Manifest {
  std::vector<ManifestItem> items;  ///< no item twice
  std::vector<Target> targets;      ///< for all items
};

/// Errors: invalid_argument or invalid_spec, naming file and line or index. An incomplete last line of a
/// trace, which a killed program leaves, is skipped.
Result<Manifest> parse_manifest(const std::string& text, const std::string& name);

/// From a file, or standard input for "-". Errors: also io_failed.
Result<Manifest> read_manifest(const std::string& path);

}  // namespace lathe::tools
