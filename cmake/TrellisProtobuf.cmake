# trellis_protobuf(TARGET files...)
#
# A static library of the code that protoc makes of .proto files of the current module. They include
# as their path from src/: "protocol/control/management.pb.h". It is compiled without our warnings,
# and included as a system header, for it is not ours to mend.
function(trellis_protobuf target)
  set(out "${CMAKE_BINARY_DIR}/generated")
  set(sources)
  foreach(file IN LISTS ARGN)
    set(path "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
    file(RELATIVE_PATH name "${CMAKE_SOURCE_DIR}/src" "${path}")
    string(REGEX REPLACE "\\.proto$" "" base "${name}")
    get_filename_component(folder "${out}/${base}" DIRECTORY)
    file(MAKE_DIRECTORY "${folder}")
    add_custom_command(
      OUTPUT "${out}/${base}.pb.cc" "${out}/${base}.pb.h"
      COMMAND protobuf::protoc "--proto_path=${CMAKE_SOURCE_DIR}/src" "--cpp_out=${out}" "${path}"
      DEPENDS "${path}" protobuf::protoc
      COMMENT "protoc ${name}"
      VERBATIM)
    list(APPEND sources "${out}/${base}.pb.cc")
  endforeach()
  add_library(${target} STATIC ${sources})
  target_compile_options(${target} PRIVATE -w)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target} SYSTEM PUBLIC "${out}")
  target_link_libraries(${target} PUBLIC trellis::protobuf)
endfunction()
