// The templates: built into the library, or read from a directory while developing.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/error.h>

#include "codegen/kernel_source.h"

namespace lathe::codegen {

/// Immutable after construction, so safe to share between threads.
class TemplateLibrary {
 public:
  /// Those embedded at build time.
  static TemplateLibrary embedded();
  /// All files below a directory laid out like templates/. `lathe/...` headers come from the embedded ones.
  static Result<TemplateLibrary> from_directory(const std::string& directory);
  /// Made of the files given: for tests.
  explicit TemplateLibrary(std::vector<SourceFile> files);

  /// nullptr when there is none of that name.
  const SourceFile* find(std::string_view name) const;

  /// The headers that the file includes, directly or not, sorted by name. Errors: render_failed for an
  /// include of something that is not in the library, naming file and line.
  Result<std::vector<SourceFile>> headers_of(std::string_view name) const;

  std::span<const SourceFile> files() const { return files_; }

 private:
  std::vector<SourceFile> files_;  // sorted by name
};

}  // namespace lathe::codegen
