// Structured logging: an event in plain words, and fields. RealEnv: spdlog to stderr. SimEnv: kept, hashed, printed
// when a seed fails. Never secrets, never payloads.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/ids.h"
#include "base/result.h"

namespace farshore {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarn, kError };

struct LogField {
  std::string_view key;
  std::string value;
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  LogField(std::string_view k, const Error& e) : key(k), value(e.to_string()) {}
  LogField(std::string_view k, const Uuid& u) : key(k), value(u.to_string()) {}
  LogField(std::string_view k, bool v) : key(k), value(v ? "true" : "false") {}
  template <class T>
    requires std::is_arithmetic_v<T>
  LogField(std::string_view k, T v) : key(k), value(std::to_string(v)) {}
  template <class Tag>
  LogField(std::string_view k, const StrongUuid<Tag>& id) : key(k), value(id.to_string()) {}
  template <class Tag, class Rep>
  LogField(std::string_view k, StrongId<Tag, Rep> id) : key(k), value(std::to_string(id.value())) {}
};

class Logger {
 public:
  virtual ~Logger() = default;
  virtual void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) = 0;
  virtual bool enabled(LogLevel level) const = 0;

  void debug(std::string_view event, std::initializer_list<LogField> fields = {}) {
    if (enabled(LogLevel::kDebug)) write(LogLevel::kDebug, event, fields);
  }
  void info(std::string_view event, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::kInfo, event, fields);
  }
  void warn(std::string_view event, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::kWarn, event, fields);
  }
  void error(std::string_view event, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::kError, event, fields);
  }
};

// event key=value key="two words": one line, control characters escaped.
std::string format_log_line(std::string_view event, std::initializer_list<LogField> fields);

}  // namespace farshore
