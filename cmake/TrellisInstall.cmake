# Two components.
#
# `programs`, with manual pages and systemd units, for a machine that runs Trellis:
#   cmake --install BUILD --component programs --prefix /usr
# The units name /usr/sbin, whatever the prefix is.
#
# `rosenpass`, the library for other programs:
#   cmake --install BUILD --component rosenpass --prefix DIR
# and then `find_package(Trellis)` and `Trellis::rosenpass`. Headers keep their paths:
# #include <protocol/rosenpass/service.h>, below DIR/include/trellis.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

foreach(program IN ITEMS trellis trellis-rosenpass)
  install(TARGETS ${program} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT programs)
endforeach()
foreach(program IN ITEMS trellisd trellis-server trellis-wg)
  install(TARGETS ${program} RUNTIME DESTINATION "${CMAKE_INSTALL_SBINDIR}" COMPONENT programs)
endforeach()
foreach(section IN ITEMS 1 5 8)
  file(GLOB pages CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/docs/man/*.${section}")
  install(FILES ${pages} DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}" COMPONENT programs)
endforeach()
file(GLOB units CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/packaging/*.service")
install(FILES ${units} DESTINATION lib/systemd/system COMPONENT programs)

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
