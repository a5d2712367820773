# The one library, made of the folders' objects.
get_property(lathe_objects GLOBAL PROPERTY LATHE_OBJECT_LIBRARIES)

# For tests and tools: everything, hidden symbols included.
add_library(lathe_internal INTERFACE)
target_link_libraries(lathe_internal INTERFACE ${lathe_objects} lathe_settings)
foreach(objects ${lathe_objects})
  target_sources(lathe_internal INTERFACE $<TARGET_OBJECTS:${objects}>)
endforeach()

add_library(lathe)
add_library(lathe::lathe ALIAS lathe)
target_include_directories(lathe PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/runtime/include> $<INSTALL_INTERFACE:include>)
target_compile_features(lathe PUBLIC cxx_std_20)
foreach(objects ${lathe_objects})
  target_sources(lathe PRIVATE $<TARGET_OBJECTS:${objects}>)
  target_link_libraries(lathe PRIVATE $<BUILD_INTERFACE:${objects}>)
endforeach()
set_target_properties(lathe PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
