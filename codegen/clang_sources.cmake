# Appends to ${sources} and sets ${clang_libraries}.
list(APPEND sources
  clang_compiler.cpp
  clang_target.cpp
)
add_library(lathe_clang INTERFACE)
target_include_directories(lathe_clang SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS} ${CLANG_INCLUDE_DIRS})
target_link_libraries(lathe_clang INTERFACE clang-cpp LLVM)
set(clang_libraries lathe_clang)
