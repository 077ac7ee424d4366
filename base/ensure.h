// ensure(condition, "why"): a broken invariant of ours ends the process, in release too. Bytes from outside never
// reach an ensure: they give a Result and a metric. debug_ensure is for expensive checks.
#pragma once

namespace farshore {

[[noreturn]] void ensure_failed(const char* condition, const char* why, const char* file, int line);

}  // namespace farshore

#define ensure(condition, why)                                        \
  do {                                                                \
    if (!(condition)) [[unlikely]]                                    \
      ::farshore::ensure_failed(#condition, why, __FILE__, __LINE__); \
  } while (0)

#ifdef NDEBUG
#define debug_ensure(condition, why) ((void)0)
#else
#define debug_ensure(condition, why) ensure(condition, why)
#endif
