# A fuzz target is one file with LLVMFuzzerTestOneInput, beside the code whose input it plays.
#
#   farshore_fuzz(proto_kafka_frame SOURCES frame_fuzz.cc DEPENDS proto_kafka)
#
# In the fuzz preset it becomes the libFuzzer program <name>_fuzz, noted in fuzz-targets.txt for tests/nightly. In every
# other preset it becomes a test of the same name with _corpus, which plays the seeds (made of golden bytes) and every
# file of tests/fuzz/corpus/<name>: what a fuzzer found once is checked at each tests/run.
if(FARSHORE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)  # without it the fuzzer sees no branch of the code that it calls
endif()

set(FARSHORE_SEEDS ${CMAKE_BINARY_DIR}/fuzz-seeds)
set(seeds_from ${CMAKE_SOURCE_DIR}/tests/fuzz/seeds.py ${CMAKE_SOURCE_DIR}/proto/kafka/golden/frames.inc
               ${CMAKE_SOURCE_DIR}/proto/batch/testing/golden_batches.h)
set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${seeds_from})
find_package(Python3 REQUIRED COMPONENTS Interpreter)
execute_process(COMMAND ${Python3_EXECUTABLE} ${seeds_from} ${FARSHORE_SEEDS} COMMAND_ERROR_IS_FATAL ANY)
file(WRITE ${CMAKE_BINARY_DIR}/fuzz-targets.txt "")

function(farshore_fuzz name)
  cmake_parse_arguments(FUZZ "" "" "SOURCES;DEPENDS" ${ARGN})
  set(corpus ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
  if(FARSHORE_FUZZ)
    add_executable(${name}_fuzz ${FUZZ_SOURCES})
    target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
    file(APPEND ${CMAKE_BINARY_DIR}/fuzz-targets.txt "${name}\n")
  else()
    add_executable(${name}_fuzz ${FUZZ_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay.cc)
    add_test(NAME fuzz.${name}_corpus COMMAND ${name}_fuzz ${FARSHORE_SEEDS}/${name} ${corpus})
    set_tests_properties(fuzz.${name}_corpus PROPERTIES TIMEOUT 120 LABELS fuzz)
  endif()
  target_link_libraries(${name}_fuzz PRIVATE ${FUZZ_DEPENDS})
  target_precompile_headers(${name}_fuzz REUSE_FROM base)
endfunction()
