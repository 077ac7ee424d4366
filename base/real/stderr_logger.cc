#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/real/env.h"

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
    std::string line = format_log_line(event, fields);
    out_.log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
  }
  bool enabled(LogLevel level) const override { return level >= level_; }

 private:
  LogLevel level_;
  spdlog::logger out_;
};

}  // namespace

std::unique_ptr<Logger> make_stderr_logger(LogLevel level) { return std::make_unique<StderrLogger>(level); }

}  // namespace farshore
