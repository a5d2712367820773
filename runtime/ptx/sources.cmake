# The PTX emulator.
file(GLOB ptx_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/ptx/*.cpp)
list(APPEND sources ${ptx_sources})
# Arithmetic must round as PTX says, after each operation; and its loops over lanes are worth vectorising.
set_source_files_properties(${ptx_sources} PROPERTIES COMPILE_OPTIONS "-ffp-contract=off;-O3")
