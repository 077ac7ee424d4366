# A room is a folder, a library and a test program.
#
#   farshore_room(broker/log DEPENDS proto_batch LINK spdlog::spdlog)
#
# makes target broker_log from every *.cc of the folder and of its internal/ (main.cc apart), and broker_log_test from
# every *_test.cc of both. Who may see which headers:
#
#   *.h            every room that names this one in DEPENDS
#   internal/*.h   this room and its own tests
#   testing/*.h    tests only: target broker_log_testing (with testing/*.cc), which the room's own tests get by
#                  themselves and other tests name in TEST_DEPENDS. It may use what TEST_DEPENDS names.
#
# Rooms see headers through a private view: a folder of links to exactly these headers, so that including a header of a
# room that is not in DEPENDS (an upward include) does not compile.
# Neighbouring sources are compiled together (cmake/FarshoreUnits.cmake); ALONE names those that are not.
# Files are found by name, so a test file cannot be left out of ctest; a stray file breaks the build at once.
include(GoogleTest)
include(FarshoreUnits)

function(farshore_view name path headers)  # links each header of `path` under view/<name>/<path>/
  set(view ${CMAKE_BINARY_DIR}/view/${name}/${path})
  file(MAKE_DIRECTORY ${view})
  file(GLOB stale ${view}/*.h)
  foreach(link IN LISTS stale)
    if(NOT EXISTS ${link})
      file(REMOVE ${link})
    endif()
  endforeach()
  foreach(header IN LISTS headers)
    cmake_path(GET header FILENAME file)
    file(CREATE_LINK ${header} ${view}/${file} SYMBOLIC)
  endforeach()
endfunction()

# Objects of one checkout serve the others: ccache (pch_external_checksum) then goes by this sum, not by the bytes of the
# precompiled header, which name their checkout. What the header includes is checked by the objects' own dependencies;
# clang tells none of a precompiled header, and goes by the bytes.
function(farshore_pch_sum name)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    return()
  endif()
  file(READ ${CMAKE_SOURCE_DIR}/cmake/precompiled.h header)
  file(READ ${CMAKE_SOURCE_DIR}/cmake/FarshoreToolchain.cmake toolchain)
  string(SHA256 sum "${header}${toolchain}${CMAKE_CXX_COMPILER_VERSION}${CMAKE_CXX_FLAGS}${FARSHORE_SANITIZE}")
  set(file ${CMAKE_BINARY_DIR}/${name}/CMakeFiles/${name}.dir/cmake_pch.hxx.gch.sum)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/cmake/precompiled.h)
  file(CONFIGURE OUTPUT ${file} CONTENT "${sum}\n")
endfunction()

function(farshore_pch name)  # every target shares the one of base
  if(name STREQUAL base)
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/cmake)
    target_precompile_headers(${name} PRIVATE <precompiled.h>)
    farshore_pch_sum(${name})
  else()
    target_precompile_headers(${name} REUSE_FROM base)
  endif()
endfunction()

# A library of `sources` (none: of headers alone), whose headers are those of `view`.
function(farshore_library name sources view headers)
  if(sources)
    add_library(${name} STATIC ${sources})
    target_sources(${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${view} FILES ${headers})
  else()
    add_library(${name} INTERFACE)
    target_sources(${name} INTERFACE FILE_SET HEADERS BASE_DIRS ${view} FILES ${headers})
  endif()
endfunction()

# Links the headers `pattern` of `folder` (of the room, "" or "/internal" ...) into view/<view_name>/; sets <out>_view and
# <out>_headers in the caller.
function(farshore_headers out view_name path folder)
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}${folder}/*.h)
  farshore_view(${view_name} ${path}${folder} "${headers}")
  set(view ${CMAKE_BINARY_DIR}/view/${view_name})
  list(TRANSFORM headers REPLACE "^${CMAKE_CURRENT_SOURCE_DIR}/" "${view}/${path}/")
  list(FILTER headers EXCLUDE REGEX "(_fixture\\.h|/testing_[^/]*\\.h)$")  # what only tests include
  set(${out}_view ${view} PARENT_SCOPE)
  set(${out}_headers ${headers} PARENT_SCOPE)
endfunction()

function(farshore_room path)
  cmake_parse_arguments(ROOM "" "PCH" "DEPENDS;LINK;EXTRA_SOURCES;TEST_DEPENDS;ALONE" ${ARGN})
  string(REPLACE "/" "_" name ${path})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc ${CMAKE_CURRENT_SOURCE_DIR}/internal/*.cc)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "(_test|/main|_main|_fuzz|_bench)\\.cc$")

  farshore_headers(room ${name} ${path} "")
  farshore_units(sources ${name} "${sources}" "${ROOM_ALONE}")
  list(APPEND sources ${ROOM_EXTRA_SOURCES})
  farshore_library(${name} "${sources}" ${room_view} "${room_headers}")
  set(scope INTERFACE)
  if(sources)
    set(scope PUBLIC)
    if(NOT ROOM_PCH STREQUAL "OFF")
      farshore_pch(${name})
    endif()
  endif()
  target_link_libraries(${name} ${scope} ${ROOM_DEPENDS} ${ROOM_LINK} farshore_boost)

  set(test_depends ${name} ${ROOM_TEST_DEPENDS})
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/internal)
    farshore_headers(internal ${name}_internal ${path} /internal)
    farshore_library(${name}_internal "" ${internal_view} "${internal_headers}")
    target_link_libraries(${name}_internal INTERFACE ${name})
    target_include_directories(${name} PRIVATE ${internal_view})
    list(APPEND test_depends ${name}_internal)
  endif()
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/testing)
    file(GLOB testing_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/testing/*.cc)
    farshore_headers(testing ${name}_testing ${path} /testing)
    farshore_library(${name}_testing "${testing_sources}" ${testing_view} "${testing_headers}")
    set(scope INTERFACE)
    if(testing_sources)
      set(scope PUBLIC)
      farshore_pch(${name}_testing)
    endif()
    target_link_libraries(${name}_testing ${scope} ${test_depends} GTest::gtest GTest::gmock)
    list(APPEND test_depends ${name}_testing)
  endif()

  if(tests)
    farshore_test(${name}_test SOURCES ${tests} DEPENDS ${test_depends})
  endif()
endfunction()

# farshore_test(NAME SOURCES ... DEPENDS ... [MAIN])   MAIN: the sources bring their own main()
# Each test carries the program's name as its label: ctest -L '^broker_log_test$'.
function(farshore_test name)
  cmake_parse_arguments(TEST "MAIN" "TIMEOUT" "SOURCES;DEPENDS" ${ARGN})
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 120)
  endif()
  add_executable(${name} ${TEST_SOURCES})
  target_link_libraries(${name} PRIVATE ${TEST_DEPENDS} GTest::gtest GTest::gmock)
  if(NOT TEST_MAIN)
    target_link_libraries(${name} PRIVATE GTest::gtest_main)
  endif()
  farshore_pch(${name})
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT ${TEST_TIMEOUT} LABELS ${name})
endfunction()

# farshore_program(farshore-broker SOURCES main.cc DEPENDS broker ...)
function(farshore_program name)
  cmake_parse_arguments(PROGRAM "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${PROGRAM_SOURCES})
  target_link_libraries(${name} PRIVATE ${PROGRAM_DEPENDS})
  farshore_pch(${name})
endfunction()
