#include "base/repeated_lines.h"

namespace farshore {
namespace {

constexpr Duration kLookPause = seconds(1);  // between two looks for counts that are due
constexpr std::string_view kOthers = "\n";   // the key of all lines beyond kLinesMax: no line has a line break

bool is_free_text(std::string_view field) { return field == "error" || field == "reason" || field == "why"; }

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
    found = events_.emplace(std::string(event), SaidOfEvent()).first;
  }
  SaidOfEvent& lines = found->second;
  std::string key = key_of(fields);
  if (!lines.contains(key) && lines.size() >= kLinesMax) key = kOthers;
  Said& said = lines[key];
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
  for (auto& [event, lines] : events_) take_due(lines, now, out);
  return out;
}

void RepeatedLines::take_due(SaidOfEvent& lines, MonoTime now, std::vector<Line>& out) {
  for (auto at = lines.begin(); at != lines.end();) {
    Said& said = at->second;
    if (now - said.at < kPause) {
      ++at;
    } else if (said.left_out == 0) {
      at = lines.erase(at);
    } else {
      out.push_back({said.level, with_count(said.text, said.left_out)});
      said.at = now;
      said.left_out = 0;
      ++at;
    }
  }
}

}  // namespace farshore
