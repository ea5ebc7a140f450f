# Language, warnings, hardening and sanitizers: everything that decides how our own code is compiled.
# Other people's headers are reached through SYSTEM includes and are not held to our warnings.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Debug, Release or RelWithDebInfo" FORCE)
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

find_program(TRELLIS_CCACHE ccache)
if(TRELLIS_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  # What one checkout compiled serves a checkout at another path. (Not for debug builds, whose
  # debugging information names the path.)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env
    "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" CCACHE_NOHASHDIR=1 "${TRELLIS_CCACHE}")
elseif(TRELLIS_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${TRELLIS_CCACHE}")
endif()

add_library(trellis_compile_options INTERFACE)
target_compile_options(trellis_compile_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wswitch-enum)
if(TRELLIS_WERROR)
  target_compile_options(trellis_compile_options INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(trellis_compile_options INTERFACE -Wthread-safety)
endif()
target_include_directories(trellis_compile_options INTERFACE "${CMAKE_SOURCE_DIR}/src")
target_compile_definitions(trellis_compile_options INTERFACE
  TRELLIS_VERSION="${PROJECT_VERSION}"
  $<$<BOOL:${TRELLIS_DUMP_SECRETS}>:TRELLIS_DUMP_SECRETS>)

# Builds say src/base/bytes.cc wherever the checkout lies; a debugger started in the checkout finds it.
if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_options(trellis_compile_options INTERFACE -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
endif()

if(TRELLIS_FUZZ)
  target_compile_options(trellis_compile_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(TRELLIS_COVERAGE)
  target_compile_options(trellis_compile_options INTERFACE -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(trellis_compile_options INTERFACE -fprofile-instr-generate)
endif()

if(TRELLIS_SANITIZE)
  target_compile_options(trellis_compile_options INTERFACE
    -fsanitize=${TRELLIS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(trellis_compile_options INTERFACE -fsanitize=${TRELLIS_SANITIZE})
else()
  # Hardening. _FORTIFY_SOURCE needs an optimizer, so debug builds go without it; sanitizers bring
  # their own checks and do not get along with it.
  target_compile_options(trellis_compile_options INTERFACE
    -fPIE -fstack-protector-strong -fstack-clash-protection
    "$<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=3>")
  target_link_options(trellis_compile_options INTERFACE -pie -Wl,-z,relro,-z,now)
  # A program exports nothing of the static libraries in it. Otherwise shared libraries of the system
  # that were built against another OpenSSL would bind to ours. (Not with sanitizers: the allocator in
  # their static runtime must be seen by shared libraries.)
  target_link_options(trellis_compile_options INTERFACE -Wl,--exclude-libs,ALL)
endif()
