// Result of a C function: a code, and the words and properties of the last error of the calling thread. No
// exception passes through C.
#pragma once

#include <cstdint>
#include <exception>
#include <string>

#include "offsets/client/problem.h"

namespace farshore::client {

// Keeps `problem` for farshore_last_error() and returns its code; 0: there is none.
int c_report(const Problem& problem);
int c_invalid(const char* text);
// Keeps the words of an exception (memory was short).
void c_report_exception(const std::exception& exception);

// Returns what `run` returns; `otherwise` if it throws.
template <class Value, class Run>
Value c_guarded(Value otherwise, Run run) noexcept {
  try {
    return run();
  } catch (const std::exception& exception) {
    c_report_exception(exception);
    return otherwise;
  }
}

}  // namespace farshore::client
