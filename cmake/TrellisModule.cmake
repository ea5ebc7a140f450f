# trellis_module(PATH
#   [DEPENDS modules...]       what its headers and sources may include, besides itself
#   [TEST_DEPENDS modules...]  what its tests may include besides
#   [LIBS targets...]          other people's libraries seen in its headers
#   [PRIVATE_LIBS targets...]  other people's libraries seen in its .cc files only
#   [TEST_LIBS targets...])    other people's libraries for its tests only
#
# Called from src/PATH/CMakeLists.txt. `protocol/wireguard` becomes the static library
# trellis_protocol_wireguard (an INTERFACE library if it has headers only), and its *_test.cc the
# test program trellis_protocol_wireguard_test. Both are built only after the arrow check passed.
#
# trellis_program(NAME SOURCES files... [LIBS ...]) makes a program of the current module; the
# folder `apps` calls trellis_module(apps SKIP files...) with the files that hold a main().

# The target that stands for a module.
function(trellis_target_of out module)
  string(REPLACE "/" "_" name "${module}")
  set(${out} "trellis_${name}" PARENT_SCOPE)
endfunction()

# Adds the arrow check of a module: target <target>_arrows, run again when a source changes.
function(trellis_arrow_check target module depends test_depends)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS
    "${CMAKE_CURRENT_SOURCE_DIR}/*.h" "${CMAKE_CURRENT_SOURCE_DIR}/*.cc")
  set(stamp "${CMAKE_CURRENT_BINARY_DIR}/${target}_arrows.stamp")
  set(script "${CMAKE_SOURCE_DIR}/cmake/check_arrows.py")
  list(JOIN depends "," depends)
  list(JOIN test_depends "," test_depends)
  add_custom_command(
    OUTPUT "${stamp}"
    COMMAND Python3::Interpreter "${script}" --source "${CMAKE_SOURCE_DIR}/src" --module "${module}"
      "--depends=${depends}" "--test-depends=${test_depends}"
    COMMAND "${CMAKE_COMMAND}" -E touch "${stamp}"
    DEPENDS "${script}" ${files}
    COMMENT "Checking arrows of ${module}"
    VERBATIM)
  add_custom_target(${target}_arrows ALL DEPENDS "${stamp}")
endfunction()

# Links `target` to modules by their paths.
function(trellis_link_modules target visibility)
  foreach(module IN LISTS ARGN)
    trellis_target_of(name "${module}")
    target_link_libraries(${target} ${visibility} ${name})
  endforeach()
endfunction()

# Sets `out` to those of the modules that are not there (yet), and says so. A missing target would
# otherwise be taken for a library of the system and fail at link time with a stranger message.
function(trellis_missing_modules out who)
  set(missing)
  foreach(module IN LISTS ARGN)
    trellis_target_of(name "${module}")
    if(NOT TARGET ${name})
      list(APPEND missing "${module}")
    endif()
  endforeach()
  set(${out} "${missing}" PARENT_SCOPE)
  if(missing AND TRELLIS_PARTIAL_TREE)
    message(WARNING "${who} is left out: it names ${missing}, which does not stand above it in the root's list")
  elseif(missing)
    message(SEND_ERROR "${who} names ${missing}, which does not stand above it in the root's list")
  endif()
endfunction()

function(trellis_module module)
  cmake_parse_arguments(PARSE_ARGV 1 arg ""
    "" "DEPENDS;TEST_DEPENDS;LIBS;PRIVATE_LIBS;TEST_LIBS;SKIP")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "trellis_module(${module}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT CMAKE_CURRENT_SOURCE_DIR STREQUAL "${CMAKE_SOURCE_DIR}/src/${module}")
    message(FATAL_ERROR "trellis_module(${module}) is called from ${CMAKE_CURRENT_SOURCE_DIR}")
  endif()
  trellis_target_of(target "${module}")
  trellis_missing_modules(missing "${module}" ${arg_DEPENDS})
  if(missing)
    return()
  endif()

  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cc")
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  foreach(file IN LISTS arg_SKIP)
    list(REMOVE_ITEM sources "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
  endforeach()

  trellis_arrow_check(${target} "${module}" "${arg_DEPENDS}" "${arg_TEST_DEPENDS}")

  if(sources)
    add_library(${target} STATIC ${sources})
    target_link_libraries(${target} PUBLIC trellis_compile_options ${arg_LIBS} PRIVATE ${arg_PRIVATE_LIBS})
    trellis_link_modules(${target} PUBLIC ${arg_DEPENDS})
  else()
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE trellis_compile_options ${arg_LIBS})
    trellis_link_modules(${target} INTERFACE ${arg_DEPENDS})
  endif()
  add_dependencies(${target} ${target}_arrows)

  if(tests)
    set_property(GLOBAL APPEND PROPERTY TRELLIS_TESTED "${module}")
    set_property(GLOBAL PROPERTY ${target}_test_sources "${tests}")
    set_property(GLOBAL PROPERTY ${target}_test_libs "${arg_PRIVATE_LIBS};${arg_TEST_LIBS}")
    set_property(GLOBAL PROPERTY ${target}_test_depends "${arg_TEST_DEPENDS}")
  endif()
endfunction()

# Makes the test programs, when all modules are known: `testing` names what it helps to test, and is
# named by the tests of the same modules.
function(trellis_add_tests)
  get_property(modules GLOBAL PROPERTY TRELLIS_TESTED)
  foreach(module IN LISTS modules)
    trellis_target_of(target "${module}")
    get_property(sources GLOBAL PROPERTY ${target}_test_sources)
    get_property(libs GLOBAL PROPERTY ${target}_test_libs)
    get_property(depends GLOBAL PROPERTY ${target}_test_depends)
    trellis_missing_modules(missing "the test of ${module}" ${depends})
    if(missing)
      continue()
    endif()
    add_executable(${target}_test ${sources})
    target_link_libraries(${target}_test PRIVATE ${target} ${libs} trellis::gmock_main)
    trellis_link_modules(${target}_test PRIVATE ${depends})
    # Tests run in the root of the checkout, so that no path of a machine is compiled into them (and
    # ccache serves a fresh clone).
    target_compile_definitions(${target}_test PRIVATE TRELLIS_TEST_VECTORS="tests/vectors")
    add_dependencies(${target}_test ${target}_arrows)
    add_test(NAME ${target} COMMAND ${target}_test WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
    set_tests_properties(${target} PROPERTIES
      LABELS "unit"
      TIMEOUT 900
      ENVIRONMENT "GTEST_OUTPUT=xml:${CMAKE_BINARY_DIR}/results/${target}.xml")
  endforeach()
endfunction()

function(trellis_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS;LIBS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES)
    message(FATAL_ERROR "trellis_program(${name}): wants SOURCES, [DEPENDS], [LIBS]")
  endif()
  trellis_missing_modules(missing "${name}" ${arg_DEPENDS})
  if(missing)
    return()
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE trellis_compile_options ${arg_LIBS})
  trellis_link_modules(${name} PRIVATE ${arg_DEPENDS})
endfunction()

# trellis_valgrind_test(NAME SOURCES files... DEPENDS modules... [LIBS targets...])
#
# A program that marks secrets as undefined (valgrind/memcheck.h) and is run under valgrind, which
# then reports each branch and each address that depends on one. Its test is labelled `valgrind` and
# exists in builds without sanitizers; where valgrind is missing the test is skipped and says so.
function(trellis_valgrind_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS;LIBS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES)
    message(FATAL_ERROR "trellis_valgrind_test(${name}): wants SOURCES, [DEPENDS], [LIBS]")
  endif()
  if(TRELLIS_SANITIZE OR TRELLIS_COVERAGE OR NOT BUILD_TESTING)
    return()
  endif()
  find_program(TRELLIS_VALGRIND valgrind)
  find_path(TRELLIS_VALGRIND_INCLUDE valgrind/memcheck.h)
  if(TRELLIS_VALGRIND AND TRELLIS_VALGRIND_INCLUDE)
    trellis_program(${name} SOURCES ${arg_SOURCES} DEPENDS ${arg_DEPENDS} LIBS ${arg_LIBS})
    if(NOT TARGET ${name})
      return()
    endif()
    target_include_directories(${name} SYSTEM PRIVATE "${TRELLIS_VALGRIND_INCLUDE}")
    add_test(NAME ${name} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}"
      COMMAND "${TRELLIS_VALGRIND}" --quiet --error-exitcode=1 $<TARGET_FILE:${name}>)
  else()
    add_test(NAME ${name} COMMAND sh -c "echo valgrind is not installed; exit 77")
    set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "valgrind" TIMEOUT 600)
endfunction()

find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
if(BUILD_TESTING)
  add_test(NAME arrow_check
    COMMAND Python3::Interpreter "${CMAKE_SOURCE_DIR}/cmake/check_arrows_test.py")
  add_test(NAME results
    COMMAND Python3::Interpreter "${CMAKE_SOURCE_DIR}/scripts/support/results_test.py")
  set_tests_properties(arrow_check results PROPERTIES LABELS "unit" TIMEOUT 60)
endif()
