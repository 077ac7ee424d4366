# Neighbouring source files of a room are compiled together, as one *unit*: each file by itself spends about a second on
# headers and template instances that its neighbours need, too (docs/decisions/0002-build-time.md).
#
#   farshore_units(units broker_log "${sources}" "${alone}")     sets `units` to the files to compile
#
# `alone` names the sources that stay by themselves, by their path in the room, or is ALL.
# A unit is a file of the build tree that includes its sources by relative paths, so that checkouts share ccache's
# objects. A name that is local to a file (anonymous namespace, static) is therefore unique in its room: the compiler
# says when it is not. FARSHORE_UNITS=OFF compiles each file alone; the fuzz preset does, so that every night shows that
# each file has the includes that it needs.
option(FARSHORE_UNITS "Compile neighbouring source files of a room together" ON)
set(FARSHORE_UNIT_BYTES 45000)  # of source text in a unit: about 1,000 lines, so that one edit costs no more than some seconds

function(farshore_unit_file unit members)
  cmake_path(GET unit PARENT_PATH folder)
  set(text "")
  foreach(member IN LISTS members)
    file(RELATIVE_PATH path ${folder} ${member})
    string(APPEND text "#include \"${path}\"\n")
  endforeach()
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)  # a frame of a coroutine may hold what is local to a file: the file is just not the main one
    string(PREPEND text "#pragma GCC diagnostic ignored \"-Wsubobject-linkage\"\n")
  endif()
  file(CONFIGURE OUTPUT ${unit} CONTENT "${text}" @ONLY)  # leaves an unchanged file alone
endfunction()

function(farshore_units out name sources alone)
  if(NOT FARSHORE_UNITS)
    set(${out} ${sources} PARENT_SCOPE)
    return()
  endif()
  set(results "")
  set(members "")
  set(bytes 0)
  set(number 0)
  foreach(source IN LISTS sources)
    file(RELATIVE_PATH path ${CMAKE_CURRENT_SOURCE_DIR} ${source})
    if(alone STREQUAL "ALL" OR path IN_LIST alone)
      list(APPEND results ${source})
      continue()
    endif()
    file(SIZE ${source} size)
    math(EXPR with "${bytes} + ${size}")
    if(members AND with GREATER FARSHORE_UNIT_BYTES)
      set(unit ${CMAKE_BINARY_DIR}/units/${name}_${number}.cc)
      farshore_unit_file(${unit} "${members}")
      list(APPEND results ${unit})
      math(EXPR number "${number} + 1")
      set(members "")
      set(with ${size})
    endif()
    list(APPEND members ${source})
    set(bytes ${with})
  endforeach()
  if(members)
    set(unit ${CMAKE_BINARY_DIR}/units/${name}_${number}.cc)
    farshore_unit_file(${unit} "${members}")
    list(APPEND results ${unit})
  endif()
  set(${out} ${results} PARENT_SCOPE)
endfunction()
