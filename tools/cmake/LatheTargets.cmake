# Warnings, include paths and the helpers that folders use.
include_guard(GLOBAL)

add_library(lathe_settings INTERFACE)
target_compile_features(lathe_settings INTERFACE cxx_std_20)
target_include_directories(lathe_settings INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(lathe_settings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion)
target_compile_definitions(lathe_settings INTERFACE LATHE_WITH_CUDA=$<BOOL:${LATHE_WITH_CUDA}>
                                                    LATHE_WITH_LLVM=$<BOOL:${LATHE_WITH_LLVM}>)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 sees overlaps in std::string's own code (GCC bug 105651).
  target_compile_options(lathe_settings INTERFACE -Wno-restrict)
endif()
if(LATHE_STATIC_DEPENDENCIES)
  # Parts of libstdc++.a that nothing uses would ask for a newer glibc than the rest: arc4random, 2.36.
  target_link_options(lathe_settings INTERFACE -static-libstdc++ -static-libgcc -Wl,--gc-sections)
endif()
if(LATHE_DEVELOPER_MODE)
  target_compile_options(lathe_settings INTERFACE -Werror)
endif()

# lathe_add_objects(NAME SOURCES... LINK libs...): one folder's translation units. They go into the library once, and
# straight into the tests, which so reach hidden symbols.
function(lathe_add_objects name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK;DEFINITIONS" ${ARGN})
  add_library(${name} OBJECT ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden
                                           VISIBILITY_INLINES_HIDDEN ON)
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/runtime/include>)
  target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:lathe_settings> PUBLIC ${arg_LINK})
  target_compile_definitions(${name} PRIVATE ${arg_DEFINITIONS})
  set_property(GLOBAL APPEND PROPERTY LATHE_OBJECT_LIBRARIES ${name})
endfunction()
