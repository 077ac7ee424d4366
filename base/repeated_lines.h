// RepeatedLines: keeps a log readable while the same thing goes wrong again and again. A line is written once, then
// counted: it is written again after a minute, with the count (repeated=N). Two lines are the same if they have the
// same event and the same fields; numbers inside of error, reason and why (times, ports, offsets) make no difference.
// A line with the fields from and to tells of a change of a state, or of a range that was lost: each is written.
// Of one other event at most kLinesMax different lines are written in a minute. The others are counted together, and
// told in a line of their own at the most severe level among them: none of those 50 stands for them.
// A count whose minute is over is written with the next line of any kind. Deterministic: the caller gives the time.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/logger.h"
#include "base/time.h"

namespace farshore {

class RepeatedLines {
 public:
  static constexpr Duration kPause = minutes(1);
  static constexpr size_t kLinesMax = 50, kEventsMax = 256;

  struct Line {
    LogLevel level;
    std::string text;
  };

  // The lines to write now, because `event` happened again or for the first time. Often none.
  std::vector<Line> next(LogLevel level, std::string_view event, std::initializer_list<LogField> fields, MonoTime now);
  // Counts whose minute is over, as lines.
  std::vector<Line> due(MonoTime now);

 private:
  struct Said {
    MonoTime at;
    LogLevel level = LogLevel::kWarn;
    std::string text;  // as last seen
    uint64_t left_out = 0;
  };
  struct Event {
    std::map<std::string, Said> lines;  // by what makes a line the same as another one
    uint64_t others = 0;                // beyond kLinesMax, not told yet
    LogLevel others_level = LogLevel::kDebug;
    MonoTime others_since;
  };

  static void take_due(std::string_view name, Event& event, MonoTime now, std::vector<Line>& out);

  std::map<std::string, Event, std::less<>> events_;
  MonoTime looked_;
};

}  // namespace farshore
