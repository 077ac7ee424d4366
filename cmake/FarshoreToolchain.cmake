# One place for the language level, warnings, the linker and the libraries that every room may use.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_VERIFY_INTERFACE_HEADER_SETS ON)
# -pthread for all, since the precompiled header is shared with files whose libraries ask for it.
add_compile_options(-pthread)
add_compile_options(-fPIC)  # one flag for libraries and programs: libfarshore is a shared library made of the same objects, and they share one precompiled header

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_SOURCE_DIR}/cmake/ccache.sh)
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Werror "$<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor;-Woverloaded-virtual>" -fno-omit-frame-pointer
                    -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # g++ 12 reports false positives of these from coroutine frames and std::vector internals at -O1 and above.
  add_compile_options(-Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds
                      -Wno-restrict -Wno-dangling-pointer "$<$<COMPILE_LANGUAGE:CXX>:-Wno-mismatched-new-delete>" -fpch-deps)
endif()
if(FARSHORE_SANITIZE)
  add_compile_options(-fsanitize=${FARSHORE_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${FARSHORE_SANITIZE})
  if(FARSHORE_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    add_compile_options(-Wno-tsan)  # Asio's reference counts use fences, which the sanitizer only approximates
    # Protobuf's map fields have two more members under this macro, and Debian's library was built without them.
    add_compile_options(-U__SANITIZE_THREAD__)
  endif()
endif()

find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(GTest REQUIRED)
find_package(spdlog REQUIRED)
find_package(PkgConfig REQUIRED)

add_library(farshore_boost INTERFACE)
target_link_libraries(farshore_boost INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(farshore_boost INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_ARRAY
                           BOOST_ASIO_DISABLE_BOOST_REGEX)
