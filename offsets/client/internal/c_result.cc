#include "offsets/client/internal/c_result.h"

#include "farshore/farshore.h"

#ifndef FARSHORE_VERSION
#error "the build says which version this is"
#endif

namespace farshore::client {
namespace {

struct LastError {
  std::string text;
  int result = 0;
  int kafka_code = 0;
  bool retriable = false, fatal = false;
};
thread_local LastError last;

int code_of(Problem::Kind kind) {
  switch (kind) {
    case Problem::Kind::kNone:
      return 0;
    case Problem::Kind::kInvalid:
      return FARSHORE_INVALID;
    case Problem::Kind::kUnavailable:
      return FARSHORE_UNAVAILABLE;
    case Problem::Kind::kOutOfRange:
      return FARSHORE_OUT_OF_RANGE;
    case Problem::Kind::kNotMirrored:
      return FARSHORE_NOT_MIRRORED;
    case Problem::Kind::kClosed:
      return FARSHORE_CLOSED;
    case Problem::Kind::kFailed:
      return FARSHORE_FAILED;
  }
  return FARSHORE_FAILED;
}

}  // namespace

int c_report(const Problem& problem) {
  if (!problem) return 0;
  last.text = problem.text;
  last.result = code_of(problem.kind);
  last.kafka_code = problem.kafka_code;
  last.retriable = problem.retriable();
  last.fatal = problem.fatal || problem.kind == Problem::Kind::kClosed;
  return last.result;
}

int c_invalid(const char* text) { return c_report({Problem::Kind::kInvalid, text}); }

void c_report_exception(const std::exception& exception) {
  try {
    (void)c_report({Problem::Kind::kFailed, exception.what()});
  } catch (...) {
    last.text.clear();
    last.result = FARSHORE_FAILED;
  }
}

}  // namespace farshore::client

extern "C" {

const char* farshore_version(void) { return FARSHORE_VERSION; }
const char* farshore_last_error(void) { return farshore::client::last.text.c_str(); }
int farshore_last_error_result(void) { return farshore::client::last.result; }
int farshore_last_error_kafka_code(void) { return farshore::client::last.kafka_code; }
int farshore_last_error_retriable(void) { return farshore::client::last.retriable ? 1 : 0; }
int farshore_last_error_fatal(void) { return farshore::client::last.fatal ? 1 : 0; }

}  // extern "C"
