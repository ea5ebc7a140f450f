# Other people's libraries, found once, under names that modules write into their CMakeLists:
#
#   trellis::openssl    OpenSSL 3.5 (system, or the private static one of scripts/setup): libcrypto
#   trellis::ssl        the same: libssl and libcrypto
#   trellis::mceliece   libmceliece; whoever links it defines its source of randomness (src/crypto)
#   trellis::sodium     libsodium
#   trellis::fmt trellis::json trellis::cli trellis::toml trellis::expected
#   trellis::nghttp2    HTTP/2 frames and HPACK; no sockets
#   trellis::protobuf   messages; see TrellisProtobuf.cmake
#   trellis::sqlite     the server's store
#   trellis::boost      Boost headers (Asio, Beast)
#   trellis::gtest trellis::gmock_main trellis::benchmark    tests and bench only

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# One imported target from a pkg-config module.
function(trellis_pkg_library name module)
  pkg_check_modules(${name}_pc REQUIRED IMPORTED_TARGET GLOBAL "${module}")
  add_library(trellis::${name} ALIAS PkgConfig::${name}_pc)
endfunction()

# One interface target that forwards to imported targets.
function(trellis_forward_library name)
  add_library(trellis_lib_${name} INTERFACE)
  target_link_libraries(trellis_lib_${name} INTERFACE ${ARGN})
  add_library(trellis::${name} ALIAS trellis_lib_${name})
endfunction()

trellis_pkg_library(sodium "libsodium>=1.0.18")
trellis_pkg_library(nghttp2 "libnghttp2>=1.52")
trellis_pkg_library(sqlite "sqlite3>=3.40")

# libprotobuf alone: its compiler is asked for by name, and built against the same version.
find_package(Protobuf 3.21 REQUIRED)
trellis_forward_library(protobuf protobuf::libprotobuf)

find_package(fmt REQUIRED)
trellis_forward_library(fmt fmt::fmt)
find_package(nlohmann_json REQUIRED)
trellis_forward_library(json nlohmann_json::nlohmann_json)
find_package(CLI11 REQUIRED)
trellis_forward_library(cli CLI11::CLI11)
find_package(tl-expected REQUIRED)
trellis_forward_library(expected tl::expected)
find_package(Boost 1.81 REQUIRED)
trellis_forward_library(boost Boost::headers Threads::Threads)

# toml++ is used as headers only: the packaged library is compiled with other settings.
find_path(TRELLIS_TOML_INCLUDE toml++/toml.h REQUIRED)
add_library(trellis_lib_toml INTERFACE)
target_include_directories(trellis_lib_toml SYSTEM INTERFACE "${TRELLIS_TOML_INCLUDE}")
add_library(trellis::toml ALIAS trellis_lib_toml)

find_package(GTest REQUIRED)
trellis_forward_library(gtest GTest::gtest)
trellis_forward_library(gmock_main GTest::gmock_main)
find_package(benchmark QUIET)
if(benchmark_FOUND)
  trellis_forward_library(benchmark benchmark::benchmark_main)
endif()

# libmceliece draws randomness through one undefined symbol, randombytes_internal_void_voidstar_longlong.
# src/crypto defines it over our own generator, so librandombytes is not linked. The shared library
# names librandombytes as needed; the archive does not, and also keeps the symbol inside the program.
find_path(TRELLIS_MCELIECE_INCLUDE mceliece.h REQUIRED)
find_library(TRELLIS_MCELIECE_LIBRARY NAMES libmceliece.a mceliece REQUIRED)
add_library(trellis_lib_mceliece INTERFACE)
target_include_directories(trellis_lib_mceliece SYSTEM INTERFACE "${TRELLIS_MCELIECE_INCLUDE}")
target_link_libraries(trellis_lib_mceliece INTERFACE "${TRELLIS_MCELIECE_LIBRARY}")
add_library(trellis::mceliece ALIAS trellis_lib_mceliece)

# OpenSSL 3.5: the system's where it is new enough (Debian 13), else the one of scripts/setup.
set(TRELLIS_DEPS "$ENV{TRELLIS_DEPS}" CACHE PATH "Folder of privately built libraries")
if(NOT TRELLIS_DEPS)
  set_property(CACHE TRELLIS_DEPS PROPERTY VALUE "/opt/trellis")
endif()
if(EXISTS "${TRELLIS_DEPS}/openssl/lib/libcrypto.a")
  add_library(trellis_lib_openssl INTERFACE)
  target_include_directories(trellis_lib_openssl SYSTEM INTERFACE "${TRELLIS_DEPS}/openssl/include")
  target_link_libraries(trellis_lib_openssl INTERFACE
    "${TRELLIS_DEPS}/openssl/lib/libcrypto.a" Threads::Threads ${CMAKE_DL_LIBS})
  # Imported, for then libcrypto.a always comes after it, whoever else names libcrypto.a.
  add_library(trellis_lib_ssl STATIC IMPORTED GLOBAL)
  set_target_properties(trellis_lib_ssl PROPERTIES
    IMPORTED_LOCATION "${TRELLIS_DEPS}/openssl/lib/libssl.a"
    INTERFACE_LINK_LIBRARIES trellis_lib_openssl)
  add_library(trellis::openssl ALIAS trellis_lib_openssl)
  add_library(trellis::ssl ALIAS trellis_lib_ssl)
  file(READ "${TRELLIS_DEPS}/openssl/stamp" TRELLIS_OPENSSL_STAMP)
  string(REGEX MATCH "^[^\n]*" TRELLIS_OPENSSL_STAMP "${TRELLIS_OPENSSL_STAMP}")
  message(STATUS "OpenSSL: private, ${TRELLIS_OPENSSL_STAMP}")
else()
  find_package(OpenSSL 3.5 QUIET)
  if(NOT OPENSSL_FOUND)
    message(FATAL_ERROR "OpenSSL 3.5 is missing. Run scripts/setup (it installs or builds it).")
  endif()
  trellis_forward_library(openssl OpenSSL::Crypto)
  trellis_forward_library(ssl OpenSSL::SSL)
  message(STATUS "OpenSSL: of the system, ${OPENSSL_VERSION}")
endif()
