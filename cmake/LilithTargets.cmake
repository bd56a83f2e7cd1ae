# lilith_library(NAME SOURCES ... [PUBLIC libs] [PRIVATE libs]): static library lilith_NAME, alias lilith::NAME.
# Headers are included from the source root ("audit/event.hpp"); third-party libraries go under PRIVATE only
# (tests/house checks that).
function(lilith_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(lilith_${name} STATIC ${ARG_SOURCES})
  add_library(lilith::${name} ALIAS lilith_${name})
  target_include_directories(lilith_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(lilith_${name} PUBLIC ${ARG_PUBLIC} PRIVATE lilith::flags ${ARG_PRIVATE})
endfunction()

# A position-independent executable without a dynamic loader. CMake's own property would add -pie, which takes
# -static-pie back.
function(lilith_static_pie name)
  set_property(TARGET ${name} PROPERTY POSITION_INDEPENDENT_CODE)
  target_compile_options(${name} PRIVATE -fPIE)
  target_link_options(${name} PRIVATE -static-pie)
endfunction()

# lilith_program(NAME [STATIC | STATIC_RUNTIME] SOURCES ... LINKS ...): an installed executable in bin/. What starts for
# each tool call carries the C++ runtime inside (STATIC_RUNTIME), since resolving libstdc++'s symbols costs more than a
# hook's own work; not for programs that load C++ libraries of the distribution. STATIC: no dynamic loader at all, for a
# program that asks the C library for nothing that loads libraries (no name service, no iconv). Sanitizers bring their
# own runtimes and keep the usual link.
function(lilith_program name)
  cmake_parse_arguments(ARG "STATIC;STATIC_RUNTIME" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_compile_definitions(${name} PRIVATE LILITH_VERSION="${PROJECT_VERSION}")
  target_link_libraries(${name} PRIVATE lilith::flags ${ARG_LINKS})
  if(ARG_STATIC AND NOT LILITH_SANITIZE)
    # Not together with -static-libstdc++, behind which the driver goes back to shared libraries.
    lilith_static_pie(${name})
  elseif(ARG_STATIC_RUNTIME AND NOT LILITH_SANITIZE)
    target_link_options(${name} PRIVATE -static-libstdc++ -static-libgcc)
  endif()
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

add_custom_target(lilith_threads_tests)  # the tests of the ThreadSanitizer run

# lilith_test(NAME SOURCES ... LINKS ... [LABELS ...]): a GoogleTest program; each of its tests is a ctest test.
# LABELS threads puts it into the ThreadSanitizer run as well.
function(lilith_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_compile_definitions(${name} PRIVATE
    LILITH_SOURCE_DIR="${PROJECT_SOURCE_DIR}" LILITH_BIN_DIR="${CMAKE_BINARY_DIR}/bin")
  # What is tested is optimised as the preset says; the tests themselves (tables of hundreds of rows) need not be,
  # which halves the time of a whole build. -Wno-cpp: glibc's remark that _FORTIFY_SOURCE then does nothing.
  target_compile_options(${name} PRIVATE -O0 -Wno-cpp)
  target_link_libraries(${name} PRIVATE lilith::flags lilith::test_support ${ARG_LINKS} GTest::gmock GTest::gtest_main)
  if("threads" IN_LIST ARG_LABELS)
    add_dependencies(lilith_threads_tests ${name})
  endif()
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 300 LABELS "${ARG_LABELS}")
endfunction()

# lilith_fuzz(NAME SOURCES ... LINKS ... [CORPUS folder]): a libFuzzer program, built with LILITH_FUZZ; scripts/test runs
# each NAME_fuzz for some seconds. The files of its corpus are a normal test in every preset.
function(lilith_fuzz name)
  cmake_parse_arguments(ARG "" "CORPUS" "SOURCES;LINKS" ${ARGN})
  if(ARG_CORPUS)
    add_executable(${name}_corpus ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/tests/support/fuzz_corpus.cpp)
    target_compile_definitions(${name}_corpus PRIVATE LILITH_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    target_link_libraries(${name}_corpus PRIVATE lilith::flags ${ARG_LINKS})
    add_test(NAME ${name}_corpus COMMAND ${name}_corpus ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_CORPUS})
    set_tests_properties(${name}_corpus PROPERTIES TIMEOUT 120)
  endif()
  if(NOT LILITH_FUZZ)
    return()
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_compile_definitions(${name} PRIVATE LILITH_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE lilith::flags ${ARG_LINKS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endfunction()
