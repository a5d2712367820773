# cmake -DOUTPUT=... -DLIST=... -P embed.cmake: writes a .cpp that holds files as string literals.
# LIST is a file of lines "name=path".
file(STRINGS "${LIST}" entries)
set(body "")
foreach(entry IN LISTS entries)
  string(REGEX MATCH "^([^=]+)=(.*)$" matched "${entry}")
  set(name "${CMAKE_MATCH_1}")
  file(READ "${CMAKE_MATCH_2}" text)
  string(APPEND body "    {\"${name}\", R\"lathe_text(${text})lathe_text\"},\n")
endforeach()
file(WRITE "${OUTPUT}.new" "// Generated from templates/. Do not edit.
#include \"codegen/embedded_templates.h\"

#include <array>

namespace lathe::codegen {

namespace {
constexpr EmbeddedTemplate kTemplates[] = {
${body}};
}  // namespace

std::span<const EmbeddedTemplate> embedded_templates() { return kTemplates; }

}  // namespace lathe::codegen
")
file(COPY_FILE "${OUTPUT}.new" "${OUTPUT}" ONLY_IF_DIFFERENT)
