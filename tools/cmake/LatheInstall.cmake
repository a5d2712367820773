# install() and the package that find_package(lathe) finds.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(DIRECTORY runtime/include/lathe DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS lathe EXPORT lathe-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

get_target_property(lathe_type lathe TYPE)
if(lathe_type STREQUAL STATIC_LIBRARY)
  # Made by latheConfig.cmake.
  target_link_libraries(lathe INTERFACE $<INSTALL_INTERFACE:lathe::dependencies>)
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/lathe)
install(EXPORT lathe-targets NAMESPACE lathe:: DESTINATION ${package_dir} FILE latheTargets.cmake)
configure_file(${CMAKE_CURRENT_LIST_DIR}/latheConfig.cmake.in ${PROJECT_BINARY_DIR}/latheConfig.cmake @ONLY)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/latheConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/latheConfig.cmake ${PROJECT_BINARY_DIR}/latheConfigVersion.cmake DESTINATION ${package_dir})
