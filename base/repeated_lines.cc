#include "base/repeated_lines.h"

#include <algorithm>

namespace farshore {
namespace {

constexpr Duration kLookPause = seconds(1);  // between two looks for counts that are due

// Its numbers differ each time that the same thing is said.
bool is_free_text(std::string_view field) {
  return field == "error" || field == "reason" || field == "why" || field.ends_with("_bytes") ||
         field.ends_with("_ms") || field.ends_with("_records");
}

void append_without_numbers(std::string& key, std::string_view text) {
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit)
      key.push_back(c);
    else if (key.empty() || key.back() != '#')
      key.push_back('#');
  }
}

std::string key_of(std::initializer_list<LogField> fields) {
  std::string key;
  for (const LogField& field : fields) {
    key.append(field.key).push_back('=');
    if (is_free_text(field.key))
      append_without_numbers(key, field.value);
    else
      key.append(field.value);
    key.push_back(' ');
  }
  return key;
}

bool tells_of_a_change(std::initializer_list<LogField> fields) {
  bool from = false, to = false;
  for (const LogField& field : fields) {
    from = from || field.key == "from";
    to = to || field.key == "to";
  }
  return from && to;
}

std::string with_count(const std::string& text, uint64_t left_out) {
  return left_out == 0 ? text : text + " repeated=" + std::to_string(left_out);
}

}  // namespace

std::vector<RepeatedLines::Line> RepeatedLines::next(LogLevel level, std::string_view event,
                                                     std::initializer_list<LogField> fields, MonoTime now) {
  if (tells_of_a_change(fields)) {
    std::vector<Line> out{{level, format_log_line(event, fields)}};
    for (Line& line : due(now)) out.push_back(std::move(line));
    return out;
  }
  auto found = events_.find(event);
  if (found == events_.end()) {
    if (events_.size() >= kEventsMax) events_.clear();
    found = events_.emplace(std::string(event), Event()).first;
  }
  Event& of_event = found->second;
  std::string key = key_of(fields);
  if (!of_event.lines.contains(key) && of_event.lines.size() >= kLinesMax) {
    if (of_event.others == 0) of_event.others_since = now;
    ++of_event.others;
    of_event.others_level = std::max(of_event.others_level, level);
    return due(now);
  }
  Said& said = of_event.lines[key];
  const bool first = said.text.empty();
  said.level = level;
  said.text = format_log_line(event, fields);
  std::vector<Line> out;
  if (first || now - said.at >= kPause) {
    out.push_back({level, with_count(said.text, said.left_out)});
    said.at = now;
    said.left_out = 0;
  } else {
    ++said.left_out;
  }
  for (Line& line : due(now)) out.push_back(std::move(line));
  return out;
}

std::vector<RepeatedLines::Line> RepeatedLines::due(MonoTime now) {
  std::vector<Line> out;
  if (now - looked_ < kLookPause) return out;
  looked_ = now;
  for (auto& [name, event] : events_) take_due(name, event, now, out);
  return out;
}

void RepeatedLines::take_due(std::string_view name, Event& event, MonoTime now, std::vector<Line>& out) {
  for (auto at = event.lines.begin(); at != event.lines.end();) {
    Said& said = at->second;
    if (now - said.at < kPause) {
      ++at;
    } else if (said.left_out == 0) {
      at = event.lines.erase(at);
    } else {
      out.push_back({said.level, with_count(said.text, said.left_out)});
      said.at = now;
      said.left_out = 0;
      ++at;
    }
  }
  if (event.others == 0 || now - event.others_since < kPause) return;
  out.push_back({event.others_level,
                 std::string(name) + ": " + std::to_string(event.others) + " other lines of this event were left out"});
  event.others = 0;
  event.others_level = LogLevel::kDebug;
}

}  // namespace farshore
