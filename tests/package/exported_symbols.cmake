# cmake -DNM=... -DLIBRARY=... -P exported_symbols.cmake: fails if the library exports other than lathe's names.
execute_process(COMMAND ${NM} -D --defined-only -C ${LIBRARY} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "\n" ";" lines "${symbols}")
set(seen 0)
foreach(line IN LISTS lines)
  # Weak ones are inline functions of the standard library, which every C++ library has.
  if(line MATCHES "^[0-9a-f]+ [TDBR] (.*)$")
    math(EXPR seen "${seen} + 1")
    set(name "${CMAKE_MATCH_1}")
    if(NOT name MATCHES "^(lathe::|lathe_|(vtable|typeinfo|typeinfo name|guard variable) for lathe::)" AND
       NOT name MATCHES "^_(init|fini|edata|end|_bss_start)$")
      message(SEND_ERROR "exported: ${name}")
    endif()
  endif()
endforeach()
if(seen LESS 20)
  message(FATAL_ERROR "only ${seen} symbols found: this check looks at nothing")
endif()
message("${seen} symbols, all of lathe")
