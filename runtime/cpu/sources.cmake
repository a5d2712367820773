# Appends to ${sources} and sets ${cpu_libraries}. LLVM's headers stay in object_*.cpp.
list(APPEND sources
  cpu/allowed_symbols.cpp
  cpu/cpu_executor.cpp
  cpu/object_check.cpp
  cpu/object_linker.cpp
)
add_library(lathe_orc INTERFACE)
target_include_directories(lathe_orc SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})
target_link_libraries(lathe_orc INTERFACE LLVM)
set(cpu_libraries lathe_orc TBB::tbb)
