# LILITH_PCH: headers of the standard library and of GoogleTest are parsed once for all files, which halves the time of
# a build. What lacks an #include is then noticed by tests/house/headers_test.py and by the preset dev, which has none.
set(LILITH_PCH OFF CACHE BOOL "Precompiled headers")
if(LILITH_PCH AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Out of a precompiled header GCC 12 reports what its optimiser suspects inside the standard library's own code.
  target_compile_options(lilith_flags INTERFACE -Wno-array-bounds -Wno-stringop-overread -Wno-stringop-overflow -Wno-restrict)
endif()
set(lilith_standard_headers <algorithm> <array> <chrono> <cstdint> <filesystem> <functional> <map> <memory> <mutex>
  <optional> <set> <span> <string> <string_view> <unordered_map> <utility> <variant> <vector>)

# Sanitized code is not optimised: it compiles in a third of the time. What runs IN_CALLS is, since a hook and a proxy
# have deadlines: without, a MiB of command takes longer than any.
set(lilith_quick_options)
if(LILITH_SANITIZE)
  set(lilith_quick_options -O0 -Wno-cpp)
endif()

# lilith_precompiled(KIND HEADERS ...): the object that targets of one KIND take their precompiled headers from. Kinds
# differ in the flags that must be the same: in_calls and library (-fPIC), program (-fPIE), test (-fPIE -O0).
function(lilith_precompiled kind)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/precompiled_${kind}.cpp CONTENT "int main() {}\n")
  if(kind STREQUAL "library" OR kind STREQUAL "in_calls")
    add_library(lilith_precompiled_${kind} OBJECT ${CMAKE_BINARY_DIR}/precompiled_${kind}.cpp)
  else()
    add_executable(lilith_precompiled_${kind} ${CMAKE_BINARY_DIR}/precompiled_${kind}.cpp)
  endif()
  if(kind STREQUAL "test")
    target_compile_options(lilith_precompiled_test PRIVATE -O0 -Wno-cpp)
    target_link_libraries(lilith_precompiled_test PRIVATE GTest::gmock)
  elseif(NOT kind STREQUAL "in_calls")
    target_compile_options(lilith_precompiled_${kind} PRIVATE ${lilith_quick_options})
  endif()
  target_link_libraries(lilith_precompiled_${kind} PRIVATE lilith::flags)
  target_precompile_headers(lilith_precompiled_${kind} PRIVATE ${ARGN})
endfunction()
if(LILITH_PCH)
  lilith_precompiled(library ${lilith_standard_headers})
  lilith_precompiled(in_calls ${lilith_standard_headers})
  lilith_precompiled(program ${lilith_standard_headers})
endif()
if(LILITH_PCH AND LILITH_TESTS)
  lilith_precompiled(test ${lilith_standard_headers} <gmock/gmock.h> <gtest/gtest.h>)
endif()

# lilith_library(NAME [IN_CALLS] SOURCES ... [PUBLIC libs] [PRIVATE libs]): static library lilith_NAME, alias lilith::NAME.
# IN_CALLS: it runs between an agent's call and the answer.
# Headers are included from the source root ("audit/event.hpp"); third-party libraries go under PRIVATE only
# (tests/house checks that).
function(lilith_library name)
  cmake_parse_arguments(ARG "IN_CALLS" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(lilith_${name} STATIC ${ARG_SOURCES})
  add_library(lilith::${name} ALIAS lilith_${name})
  target_include_directories(lilith_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(lilith_${name} PUBLIC ${ARG_PUBLIC} PRIVATE lilith::flags ${ARG_PRIVATE})
  set(kind library)
  if(ARG_IN_CALLS)
    set(kind in_calls)
  else()
    target_compile_options(lilith_${name} PRIVATE ${lilith_quick_options})
  endif()
  if(TARGET lilith_precompiled_${kind})
    target_precompile_headers(lilith_${name} REUSE_FROM lilith_precompiled_${kind})
  endif()
endfunction()

# lilith_command_line(FILES ...): they read the command line with CLI11, whose templates take twice as long to compile
# with all optimisations, for code that runs once a start.
function(lilith_command_line)
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS -O1 SKIP_PRECOMPILE_HEADERS ON)
  endif()
endfunction()

# A position-independent executable without a dynamic loader. CMake's own property would add -pie, which takes
# -static-pie back. Its relocations, thousands from the tables, are packed (DT_RELR): 2 KB to read at a start, not 130.
function(lilith_static_pie name)
  set_property(TARGET ${name} PROPERTY POSITION_INDEPENDENT_CODE)
  target_compile_options(${name} PRIVATE -fPIE)
  target_link_options(${name} PRIVATE -static-pie -Wl,-z,pack-relative-relocs)
endfunction()

# lilith_program(NAME PACKAGE package [STATIC | STATIC_RUNTIME] SOURCES ... LINKS ...): an executable in bin/, installed
# with the component of that name (packaging/CMakeLists.txt). What starts for
# each tool call carries the C++ runtime inside (STATIC_RUNTIME), since resolving libstdc++'s symbols costs more than a
# hook's own work; not for programs that load C++ libraries of the distribution. STATIC: no dynamic loader at all, for a
# program that asks the C library for nothing that loads libraries (no name service, no iconv). Sanitizers bring their
# own runtimes and keep the usual link.
function(lilith_program name)
  cmake_parse_arguments(ARG "STATIC;STATIC_RUNTIME" "PACKAGE" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_compile_definitions(${name} PRIVATE LILITH_VERSION="${PROJECT_VERSION}")
  target_link_libraries(${name} PRIVATE lilith::flags ${ARG_LINKS})
  target_compile_options(${name} PRIVATE ${lilith_quick_options})
  if(LILITH_PCH AND NOT ARG_STATIC)
    target_precompile_headers(${name} REUSE_FROM lilith_precompiled_program)
  endif()
  if(ARG_PACKAGE STREQUAL "lilith")
    set_property(TARGET ${name} PROPERTY LILITH_STATIC_LIBCRYPTO ON)
  endif()
  if(ARG_STATIC AND NOT LILITH_SANITIZE)
    # Not together with -static-libstdc++, behind which the driver goes back to shared libraries.
    lilith_static_pie(${name})
  elseif(ARG_STATIC_RUNTIME AND NOT LILITH_SANITIZE)
    # Of the runtime only what is called: a fifth of the pages that `lilith ship` holds of itself.
    target_link_options(${name} PRIVATE -static-libstdc++ -static-libgcc -Wl,--gc-sections)
  endif()
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT ${ARG_PACKAGE})
endfunction()

add_custom_target(lilith_threads_tests)  # the tests of the ThreadSanitizer run

# lilith_test(NAME SOURCES ... LINKS ... [LABELS ...]): a GoogleTest program; each of its tests is a ctest test.
# LABELS threads puts it into the ThreadSanitizer run as well.
# What is tested is optimised as the preset says; the tests themselves (tables of hundreds of rows) need not be, which
# halves the time of a whole build, unless OPTIMISED says so. -Wno-cpp: glibc's remark that _FORTIFY_SOURCE then does
# nothing.
# ROWS pattern: the tests of that GoogleTest pattern, rows of a large table, are one ctest test, NAME.rows: two thousand
# rows take a third of a second in one process and minutes in two thousand. None of them may skip itself.
# ALONE: no other test runs beside, for those that start hundreds of programs which have a deadline.
function(lilith_test name)
  cmake_parse_arguments(ARG "OPTIMISED;ALONE" "ROWS" "SOURCES;LINKS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_compile_definitions(${name} PRIVATE
    LILITH_SOURCE_DIR="${PROJECT_SOURCE_DIR}" LILITH_BIN_DIR="${CMAKE_BINARY_DIR}/bin")
  if(ARG_OPTIMISED)
    target_compile_options(${name} PRIVATE -O2)
  else()
    target_compile_options(${name} PRIVATE -O0 -Wno-cpp)
  endif()
  target_link_libraries(${name} PRIVATE lilith::flags lilith::test_support ${ARG_LINKS} GTest::gmock GTest::gtest_main)
  if(TARGET lilith_precompiled_test AND NOT ARG_OPTIMISED)
    target_precompile_headers(${name} REUSE_FROM lilith_precompiled_test)
  endif()
  if("threads" IN_LIST ARG_LABELS)
    add_dependencies(lilith_threads_tests ${name})
  endif()
  set(one_by_one)
  if(ARG_ROWS)
    add_test(NAME ${name}.rows COMMAND ${name} --gtest_brief=1 --gtest_filter=${ARG_ROWS})
    set_tests_properties(${name}.rows PROPERTIES TIMEOUT 300 LABELS "${ARG_LABELS}")
    set(one_by_one TEST_FILTER "-${ARG_ROWS}")
  endif()
  gtest_discover_tests(${name} ${one_by_one} DISCOVERY_MODE PRE_TEST PROPERTIES
    TIMEOUT 300 RUN_SERIAL ${ARG_ALONE} LABELS "${ARG_LABELS}")
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
