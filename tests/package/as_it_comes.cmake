# A larger project gets neither Lathe's tests and tools, nor its warnings as errors. Only configures.
file(REMOVE_RECURSE ${BUILD})
execute_process(COMMAND ${CMAKE_COMMAND} -G ${GENERATOR} -S ${CONSUMER} -B ${BUILD} -DCMAKE_CXX_COMPILER=${CXX}
  -DLATHE_SUBDIRECTORY=${LATHE} -DLATHE_WITH_LLVM=OFF OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
load_cache(${BUILD} READ_WITH_PREFIX its_ LATHE_DEVELOPER_MODE LATHE_BUILD_TESTS LATHE_BUILD_TOOLS)
foreach(option DEVELOPER_MODE BUILD_TESTS BUILD_TOOLS)
  if(NOT DEFINED its_LATHE_${option} OR its_LATHE_${option})
    message(FATAL_ERROR "LATHE_${option} is '${its_LATHE_${option}}' in a larger project, expected OFF")
  endif()
endforeach()
