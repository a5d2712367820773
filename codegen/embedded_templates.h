// The templates as they were at build time. The .cpp behind this is generated; see templates/CMakeLists.txt.
#pragma once

#include <span>
#include <string_view>

namespace lathe::codegen {

struct EmbeddedTemplate {
  std::string_view name;
  std::string_view text;
};

std::span<const EmbeddedTemplate> embedded_templates();

}  // namespace lathe::codegen
