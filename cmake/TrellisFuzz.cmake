# trellis_fuzz(NAME DEPENDS modules... COVERS files... [LIBS targets...])
#
# Called from fuzz/CMakeLists.txt. fuzz/NAME.cc defines LLVMFuzzerTestOneInput; seeds lie in
# fuzz/corpus/NAME/. COVERS names the sources, from src/, whose lines the target must reach;
# scripts/fuzz prints what share of them it did.
#
# With TRELLIS_FUZZ (clang) the program fuzz_NAME is a libFuzzer target; otherwise it replays files
# and folders, and a test labelled `corpus` replays the seeds.

file(WRITE "${CMAKE_BINARY_DIR}/fuzz_targets.txt" "")

function(trellis_fuzz name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPENDS;COVERS;LIBS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_DEPENDS OR NOT arg_COVERS)
    message(FATAL_ERROR "trellis_fuzz(${name}): wants DEPENDS, COVERS, [LIBS]")
  endif()
  trellis_missing_modules(missing "fuzz_${name}" ${arg_DEPENDS})
  if(missing)
    return()
  endif()
  foreach(file IN LISTS arg_COVERS)
    if(NOT EXISTS "${CMAKE_SOURCE_DIR}/src/${file}")
      message(SEND_ERROR "trellis_fuzz(${name}): COVERS names src/${file}, which does not exist")
    endif()
  endforeach()

  set(corpus "${CMAKE_SOURCE_DIR}/fuzz/corpus/${name}")
  add_executable(fuzz_${name} ${name}.cc)
  target_link_libraries(fuzz_${name} PRIVATE trellis_compile_options ${arg_LIBS})
  trellis_link_modules(fuzz_${name} PRIVATE ${arg_DEPENDS})
  if(TRELLIS_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(fuzz_${name} PRIVATE replay.cc)
    add_test(NAME fuzz_${name} COMMAND fuzz_${name} "${corpus}")
    set_tests_properties(fuzz_${name} PROPERTIES LABELS "corpus" TIMEOUT 300)
  endif()
  list(JOIN arg_COVERS " " covers)
  file(APPEND "${CMAKE_BINARY_DIR}/fuzz_targets.txt" "${name} ${covers}\n")
endfunction()
