# Third-party libraries, each from Debian 12's packages (scripts/setup installs them) and each under one name.
# Where Debian ships a static archive the programs link that one: a hook is a process per tool call, and every
# shared library it loads costs time before main (docs/benchmarks.md has the figures).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt 9.1 CONFIG REQUIRED)
find_package(CLI11 2.1 CONFIG REQUIRED)

function(lilith_static_archive target header archive)
  find_path(${target}_INCLUDE ${header} REQUIRED)
  find_library(${target}_ARCHIVE NAMES ${archive} REQUIRED)
  add_library(${target} INTERFACE)
  target_include_directories(${target} SYSTEM INTERFACE ${${target}_INCLUDE})
  target_link_libraries(${target} INTERFACE ${${target}_ARCHIVE})
  add_library(thirdparty::${target} ALIAS ${target})
endfunction()
lilith_static_archive(sodium sodium.h libsodium.a)
target_link_libraries(sodium INTERFACE Threads::Threads)
lilith_static_archive(libyaml yaml.h libyaml.a)
lilith_static_archive(zstd zstd.h libzstd.a)
lilith_static_archive(zlib zlib.h libz.a)
lilith_static_archive(pugixml pugixml.hpp libpugixml.a)
lilith_static_archive(xxhash xxhash.h libxxhash.a)
# The screen of `lilith replay review`.
lilith_static_archive(ncurses curses.h libncursesw.a)
find_library(TINFO_ARCHIVE NAMES libtinfo.a REQUIRED)
target_link_libraries(ncurses INTERFACE ${TINFO_ARCHIVE})
# Used by `lilith policy` alone, never by a hook.
pkg_check_modules(PSL REQUIRED IMPORTED_TARGET libpsl)
add_library(thirdparty::psl ALIAS PkgConfig::PSL)
# Reads Codex's configuration for `lilith inventory`; headers only.
find_path(TOML_INCLUDE toml++/toml.h REQUIRED)
add_library(tomlplusplus INTERFACE)
target_include_directories(tomlplusplus SYSTEM INTERFACE ${TOML_INCLUDE})
target_compile_definitions(tomlplusplus INTERFACE TOML_EXCEPTIONS=0 TOML_HEADER_ONLY=1)
add_library(thirdparty::tomlplusplus ALIAS tomlplusplus)
# Used by the model of Wazuh's rules alone, never by a hook.
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
add_library(thirdparty::pcre2 ALIAS PkgConfig::PCRE2)
# Quantiles of the gamma and normal distributions; headers only.
find_path(BOOST_MATH_INCLUDE boost/math/special_functions/gamma.hpp REQUIRED)
add_library(boost_math INTERFACE)
target_include_directories(boost_math SYSTEM INTERFACE ${BOOST_MATH_INCLUDE})
add_library(thirdparty::boost_math ALIAS boost_math)
# TLS of the shipper's sinks, and SHA-256. The package lilith takes the few objects of SHA-256 from the archive, since
# it starts for each tool call and workstations need no libssl3; what links libssl must have one libcrypto only, the
# shared one.
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl)
add_library(thirdparty::openssl ALIAS PkgConfig::OPENSSL)
lilith_static_archive(crypto_archive openssl/sha.h libcrypto.a)
add_library(sha256 INTERFACE)
target_link_libraries(sha256 INTERFACE
  $<IF:$<BOOL:$<TARGET_PROPERTY:LILITH_STATIC_LIBCRYPTO>>,thirdparty::crypto_archive,thirdparty::openssl>)
add_library(thirdparty::sha256 ALIAS sha256)
# The shipper's sinks. lilith-ship loads libcurl when a sink needs it, and is linked with the others.
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
add_library(thirdparty::curl ALIAS PkgConfig::CURL)
pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET rdkafka)
add_library(thirdparty::rdkafka ALIAS PkgConfig::RDKAFKA)
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
add_library(thirdparty::microhttpd ALIAS PkgConfig::MICROHTTPD)

if(LILITH_TESTS)
  find_package(GTest 1.12 CONFIG REQUIRED)
  include(GoogleTest)
endif()
if(LILITH_BENCHMARKS)
  find_package(benchmark 1.7 CONFIG REQUIRED)
endif()
