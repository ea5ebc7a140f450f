# The library of Rosenpass for other programs: `cmake --install BUILD --component rosenpass --prefix
# DIR`, then `find_package(Trellis)` and `Trellis::rosenpass`. Headers keep their paths:
# #include <protocol/rosenpass/service.h>, below DIR/include/trellis.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(TRELLIS_PACKAGE_FOLDER "${CMAKE_INSTALL_LIBDIR}/cmake/Trellis")
set(TRELLIS_INSTALLED_INCLUDE "${CMAKE_INSTALL_INCLUDEDIR}/trellis")

foreach(module IN ITEMS base crypto protocol/rosenpass)
  trellis_target_of(target "${module}")
  install(TARGETS ${target} ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT rosenpass)
  install(DIRECTORY "${CMAKE_SOURCE_DIR}/src/${module}/"
    DESTINATION "${TRELLIS_INSTALLED_INCLUDE}/${module}"
    COMPONENT rosenpass
    FILES_MATCHING PATTERN "*.h" PATTERN "*_test.h" EXCLUDE)
endforeach()

configure_package_config_file(
  "${CMAKE_SOURCE_DIR}/cmake/TrellisConfig.cmake.in" "${CMAKE_BINARY_DIR}/TrellisConfig.cmake"
  INSTALL_DESTINATION "${TRELLIS_PACKAGE_FOLDER}"
  PATH_VARS CMAKE_INSTALL_LIBDIR TRELLIS_INSTALLED_INCLUDE)
write_basic_package_version_file("${CMAKE_BINARY_DIR}/TrellisConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/TrellisConfig.cmake" "${CMAKE_BINARY_DIR}/TrellisConfigVersion.cmake"
  DESTINATION "${TRELLIS_PACKAGE_FOLDER}" COMPONENT rosenpass)
