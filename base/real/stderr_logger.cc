#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>

#include "base/real/env.h"
#include "base/repeated_lines.h"

namespace farshore {
namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

class StderrLogger final : public Logger {
 public:
  explicit StderrLogger(LogLevel level)
      : level_(level), out_("farshore", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    out_.set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    out_.set_level(spdlog_level(level));
  }
  void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) override {
    if (!enabled(level)) return;
    if (level < LogLevel::kWarn) print(level, format_log_line(event, fields));
    const auto lines = level < LogLevel::kWarn ? repeated_.due(now()) : repeated_.next(level, event, fields, now());
    for (const auto& line : lines) print(line.level, line.text);
  }
  bool enabled(LogLevel level) const override { return level >= level_; }

 private:
  static MonoTime now() { return MonoTime(std::chrono::steady_clock::now().time_since_epoch()); }
  void print(LogLevel level, const std::string& line) {
    out_.log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
  }

  LogLevel level_;
  spdlog::logger out_;
  RepeatedLines repeated_;
};

}  // namespace

std::unique_ptr<Logger> make_stderr_logger(LogLevel level) { return std::make_unique<StderrLogger>(level); }

}  // namespace farshore
