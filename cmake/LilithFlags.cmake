# Warnings, hardening and sanitizers, as one INTERFACE target that every target of ours links.
add_library(lilith_flags INTERFACE)
add_library(lilith::flags ALIAS lilith_flags)

target_compile_options(lilith_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wnull-dereference
  -Wformat=2 -Wundef -Wunused-result
  # Designated initializers leave the other members at their defaults, on purpose.
  -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # -Wnull-dereference reports the standard library's own inlined code at -O2 under GCC 12.
  target_compile_options(lilith_flags INTERFACE -Wduplicated-cond -Wlogical-op -Wno-null-dereference -Wbidi-chars=any)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # std::stable_sort of libstdc++ 12 calls its own deprecated get_temporary_buffer().
  target_compile_options(lilith_flags INTERFACE -Wno-deprecated-declarations)
endif()
if(LILITH_WERROR)
  target_compile_options(lilith_flags INTERFACE -Werror)
endif()

# Hardening: https://best.openssf.org/Compiler-Hardening-Guides, as far as GCC 12 and glibc 2.36 have it.
target_compile_options(lilith_flags INTERFACE
  -fstack-protector-strong -fstack-clash-protection -ftrivial-auto-var-init=zero
  -fno-delete-null-pointer-checks -fno-strict-overflow -fcf-protection=full)
# Which instructions are preferred, not which are needed: every x86-64 still runs it. Without it GCC 12 zeroes more than
# some words by `rep stos`, slow to start, and -ftrivial-auto-var-init=zero has it do so often (docs/benchmarks.md).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  target_compile_options(lilith_flags INTERFACE -mtune=skylake)
endif()
target_compile_definitions(lilith_flags INTERFACE _GLIBCXX_ASSERTIONS)
if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT LILITH_SANITIZE)
  target_compile_options(lilith_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()
target_link_options(lilith_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed)

if(LILITH_SANITIZE)
  target_compile_options(lilith_flags INTERFACE -fsanitize=${LILITH_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(lilith_flags INTERFACE -fsanitize=${LILITH_SANITIZE})
endif()
if(LILITH_FUZZ)
  # Coverage for libFuzzer in every library; the programs themselves are unchanged.
  target_compile_options(lilith_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(lilith_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
