# install() and the package that find_package(lathe) finds.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(DIRECTORY runtime/include/lathe DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS lathe EXPORT lathe-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(BUILD_SHARED_LIBS)
  # A static library would hand its dependencies on; for now it is for add_subdirectory and the portable programs only.
  set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/lathe)
  install(EXPORT lathe-targets NAMESPACE lathe:: DESTINATION ${package_dir} FILE latheConfig.cmake)
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/latheConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/latheConfigVersion.cmake DESTINATION ${package_dir})
endif()
